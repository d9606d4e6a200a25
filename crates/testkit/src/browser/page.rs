use std::fmt::Debug;
use std::ops::RangeBounds;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::driver::Driver;
use crate::dev::User;
use crate::wait::eventually;

/// How loud a tone has to be to be heard, of full scale: as for other ears of tests.
const HEARD: f64 = 0.037;
/// And from where on it is not heard.
const UNHEARD: f64 = HEARD / 4.0;
/// How far the loudest frequency may be from a tone: what one bin of the measurement is wide.
const BIN_HZ: f64 = 12.0;

/// From here on a tone was lost, and not only heard late.
const LOST: Duration = Duration::from_millis(200);
/// How far each part of a colour may be off.
const COLOUR_ERROR: u64 = 40;

/// A page of somebody in a browser.
///
/// What is clicked and looked for has the role and the name that screen readers tell, in full. Everything waits until it is
/// there, and panics with what the page shows where it does not come.
#[derive(Debug)]
pub struct Page {
    driver: Arc<Driver>,
    name: String,
}

impl Page {
    pub(super) async fn open(driver: &Arc<Driver>, name: &str, address: &str, tone: Option<u32>) -> Self {
        let page = Self { driver: Arc::clone(driver), name: name.to_owned() };
        page.ask("open", json!({"tone": tone})).await;
        page.go(address).await;
        page
    }

    /// Goes to an address.
    pub async fn go(&self, address: &str) {
        self.ask("go", json!({"address": address})).await;
    }

    /// Loads the page anew.
    pub async fn reload(&self) {
        self.ask("reload", json!({})).await;
    }

    /// Closes it.
    pub async fn close(self) {
        self.ask("close", json!({})).await;
    }

    /// Signs in on a page that asks for that.
    pub async fn sign_in(&self, user: User) {
        self.fill("Name or address", user.sip_name).await;
        self.fill("Password", User::PASSWORD).await;
        self.click("Sign in").await;
    }

    /// Clicks a button.
    pub async fn click(&self, button: &str) {
        self.click_on("button", button).await;
    }

    /// Clicks something with another role.
    pub async fn click_on(&self, role: &str, name: &str) {
        self.ask("click", json!({"role": role, "name": name})).await;
    }

    /// Clicks a text, or the text that it is a part of.
    pub async fn click_text(&self, text: &str) {
        self.ask("click_text", json!({"text": text})).await;
    }

    /// Writes into the field with that label.
    pub async fn fill(&self, label: &str, text: &str) {
        self.ask("fill", json!({"label": label, "text": text})).await;
    }

    /// Presses keys of the keyboard, one after the other.
    pub async fn press(&self, keys: &[&str]) {
        for key in keys {
            self.ask("press", json!({"key": key})).await;
        }
    }

    /// Waits for something with a role and a name.
    pub async fn finds(&self, role: &str, name: &str) {
        self.ask("finds", json!({"role": role, "name": name})).await;
    }

    /// Waits until it shows a text, or a part of one.
    pub async fn sees(&self, text: &str) {
        self.ask("sees", json!({"text": text})).await;
    }

    /// Waits until it does not show a text any more.
    pub async fn sees_no(&self, text: &str) {
        self.ask("sees_no", json!({"text": text})).await;
    }

    /// Its title.
    pub async fn title(&self) -> String {
        self.ask("title", json!({})).await.as_str().unwrap_or_default().to_owned()
    }

    /// Waits until it plays a tone.
    pub async fn hears(&self, hz: u32) {
        let what = format!("{} hears {hz} Hz", self.name);
        eventually(&what, async || {
            let heard = self.hear(&[hz]).await;
            (heard.levels.first().is_some_and(|level| *level > HEARD), heard)
        })
        .await;
    }

    /// Waits until a tone is the loudest that it plays.
    pub async fn hears_most(&self, hz: u32) {
        let what = format!("{} hears {hz} Hz most", self.name);
        eventually(&what, async || {
            let heard = self.hear(&[hz]).await;
            ((heard.loudest - f64::from(hz)).abs() < BIN_HZ, heard)
        })
        .await;
    }

    /// Waits until it plays a tone no more.
    pub async fn hears_no(&self, hz: u32) {
        let what = format!("{} does not hear {hz} Hz any more", self.name);
        eventually(&what, async || {
            let heard = self.hear(&[hz]).await;
            (heard.levels.first().is_some_and(|level| *level < UNHEARD), heard)
        })
        .await;
    }

    /// From here on, counts for how long a tone is not played.
    pub async fn watch(&self, hz: u32) {
        self.ask("watch", json!({"hertz": [hz]})).await;
    }

    /// For how long the tone that it watches was not played.
    pub async fn silence(&self) -> Silence {
        let silences = self.ask("silences", json!({})).await;
        let of = |kind: &str| Duration::from_secs_f64(silences[kind].as_f64().unwrap_or_default() / 1000.0);
        Silence { longest: of("longest"), now: of("now") }
    }

    /// What its person has on the screen beside it, and may share, is all of that colour from here on.
    pub async fn paint_screen(&self, colour: Colour) {
        let Colour(red, green, blue) = colour;
        self.ask("paint", json!({"colour": format!("rgb({red} {green} {blue})")})).await;
    }

    /// Waits until it shows a video of that colour, which comes with so many lines.
    pub async fn shows(&self, colour: Colour, lines: impl RangeBounds<u64> + Debug) {
        let what = format!("{} shows {colour:?} in {lines:?} lines", self.name);
        let is_it = |picture: &Value| {
            let is_high = picture["height"].as_u64().is_some_and(|height| lines.contains(&height));
            is_high && colour.is_like(&picture["colour"])
        };
        eventually(&what, async || {
            let pictures = self.ask("pictures", json!({})).await;
            (pictures.as_array().into_iter().flatten().any(is_it), pictures)
        })
        .await;
    }

    /// Waits until it shows no video of that colour any more.
    pub async fn shows_no(&self, colour: Colour) {
        let what = format!("{} does not show {colour:?} any more", self.name);
        eventually(&what, async || {
            let pictures = self.ask("pictures", json!({})).await;
            let is_shown = pictures.as_array().into_iter().flatten().any(|it| colour.is_like(&it["colour"]));
            (!is_shown, pictures)
        })
        .await;
    }

    /// Leaves pictures of it in light and dark, wide and narrow, where `SCREENSHOTS` says, and looks for barriers with axe.
    ///
    /// # Panics
    ///
    /// Panics with each barrier, and where it is wider than the screen.
    pub async fn look(&self, name: &str) {
        let barriers = self.ask("look", json!({"name": name})).await;
        assert_eq!(barriers, json!([]), "barriers");
    }

    async fn hear(&self, hertz: &[u32]) -> Heard {
        let heard = self.ask("hear", json!({"hertz": hertz})).await;
        let levels = heard["levels"].as_array().into_iter().flatten().filter_map(Value::as_f64).collect();
        Heard { loudest: heard["loudest"].as_f64().unwrap_or_default(), levels }
    }

    async fn ask(&self, what: &str, mut command: Value) -> Value {
        command["page"] = json!(self.name);
        self.driver.ask(what, command).await
    }
}

/// Red, green and blue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Colour(pub u8, pub u8, pub u8);

impl Colour {
    /// What fake cameras see.
    pub const ORANGE: Self = Self(255, 124, 20);
    /// As far from that as may be.
    pub const BLUE: Self = Self(32, 96, 192);
    /// Neither of them.
    pub const GREEN: Self = Self(16, 160, 64);

    /// Whether it is that of a picture, after all that codecs do to colours.
    fn is_like(self, shown: &Value) -> bool {
        let shown = shown.as_array().map(Vec::as_slice).unwrap_or_default();
        let is_near = |(own, shown): (u8, &Value)| {
            shown.as_u64().is_some_and(|shown| shown.abs_diff(u64::from(own)) < COLOUR_ERROR)
        };
        shown.len() == 3 && [self.0, self.1, self.2].into_iter().zip(shown).all(is_near)
    }
}

/// For how long a tone was not played.
#[derive(Clone, Copy, Debug)]
pub struct Silence {
    /// The longest time that is over.
    pub longest: Duration,
    /// The time that lasts: since it was last heard.
    pub now: Duration,
}

impl Silence {
    /// Whether the tone was lost for a while, and is back.
    pub fn is_over(self) -> bool {
        self.longest > LOST && self.now < LOST
    }
}

/// What a page plays.
#[derive(Clone, Debug)]
struct Heard {
    /// In hertz; 0 in silence.
    loudest: f64,
    /// Of the tones that were asked for, of full scale.
    levels: Vec<f64>,
}
