//! What a room's task is told.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, mpsc, oneshot};
use webrtc::Gateway;

use crate::task::Task;
use crate::{Event, Kind, MAX_PAGES, OfferError, PageId, Stats, Tile};

/// Questions that may wait. Arbitrary: whoever asks waits for the answer.
const MAX_QUESTIONS: usize = 8;

/// Events that may wait for whoever reads them; further ones wait in the task, the latest of each page.
const MAX_EVENTS: usize = 64;

/// Pages of which something may be wanted before the task takes it in: all may be exchanged at once.
const MAX_WISHES: usize = 2 * MAX_PAGES;

/// The pictures of a meeting, in a task that runs until all handles are gone.
///
/// What is said of a page replaces what was said of it before and has not been taken in yet, so nothing here waits but for
/// answers.
#[derive(Clone, Debug)]
pub struct RoomHandle {
    shared: Arc<Shared>,
    questions: mpsc::Sender<Question>,
}

/// What handles and the task share.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    wishes: Mutex<BTreeMap<PageId, Wish>>,
    pub(crate) changed: Notify,
}

/// What is wanted of a page: first of all that it leaves, as far as it was there.
#[derive(Debug, Default)]
pub(crate) struct Wish {
    pub(crate) leaves: bool,
    pub(crate) camera: Option<bool>,
    pub(crate) screen: Option<bool>,
    pub(crate) tiles: Option<Vec<Tile>>,
    pub(crate) offer: Option<(String, oneshot::Sender<Result<String, OfferError>>)>,
}

/// How is it with this page?
#[derive(Debug)]
pub(crate) struct Question {
    pub(crate) page: PageId,
    pub(crate) reply: oneshot::Sender<Option<Stats>>,
}

impl RoomHandle {
    /// Opens a room whose pages come over a gateway, together with all other sessions there. Must be called within a runtime
    /// of tokio. Where events are not read the room goes on, and tells the latest of each page later.
    pub fn open(gateway: &Gateway) -> (Self, mpsc::Receiver<Event>) {
        let (questions, asked) = mpsc::channel(MAX_QUESTIONS);
        let (events, receiver) = mpsc::channel(MAX_EVENTS);
        let shared = Arc::new(Shared::default());
        tokio::spawn(Task::new(gateway.clone(), Arc::clone(&shared), asked, events).run());
        (Self { shared, questions }, receiver)
    }

    /// Answers an offer of a page: a first one, or a later one, of the same peer connection or of another. It is put down
    /// before this returns, so that it keeps its place among what is said of the page; only the answer is waited for.
    ///
    /// # Errors
    ///
    /// [`OfferError`]; what was agreed before stays in force. [`OfferError::Gone`], too, where the page leaves meanwhile or
    /// offers again.
    pub fn offer(
        &self,
        page: PageId,
        sdp: String,
    ) -> impl Future<Output = Result<String, OfferError>> + Send + use<> {
        let (reply, answer) = oneshot::channel();
        let is_put_down = self.wish(page, |wish| wish.offer = Some((sdp, reply)));
        let otherwise = if is_put_down || self.is_closed() { OfferError::Gone } else { OfferError::Full };
        async move { answer.await.map_err(|_| otherwise)? }
    }

    /// Whether the task is over though this handle is there: it has panicked, or its runtime ends.
    pub fn is_closed(&self) -> bool {
        self.questions.is_closed()
    }

    /// A page is no longer in the meeting: nothing of it is kept.
    pub fn leave(&self, page: PageId) {
        self.wish(page, |wish| *wish = Wish { leaves: true, ..Wish::default() });
    }

    /// Says whether others may see a page's camera or screen; also before it offers.
    pub fn allow(&self, page: PageId, kind: Kind, is_allowed: bool) {
        self.wish(page, |wish| match kind {
            Kind::Camera => wish.camera = Some(is_allowed),
            Kind::Screen => wish.screen = Some(is_allowed),
        });
    }

    /// Says what a page sees: all of it, on its lines; also before it offers.
    pub fn watch(&self, page: PageId, tiles: Vec<Tile>) {
        self.wish(page, |wish| wish.tiles = Some(tiles));
    }

    /// How it is with a page that is known.
    pub async fn stats(&self, page: PageId) -> Option<Stats> {
        let (reply, answer) = oneshot::channel();
        self.questions.send(Question { page, reply }).await.ok()?;
        answer.await.ok()?
    }

    /// Puts down what is wanted; false where too much is.
    fn wish(&self, page: PageId, change: impl FnOnce(&mut Wish)) -> bool {
        let mut wishes = self.shared.wishes();
        // Looked at while they are held: what is put down after the task's end would be kept for nobody.
        if self.is_closed() {
            return false;
        }
        let is_full = wishes.len() >= MAX_WISHES && !wishes.contains_key(&page);
        if !is_full {
            change(wishes.entry(page).or_default());
        }
        drop(wishes);
        self.shared.changed.notify_one();
        !is_full
    }
}

impl Shared {
    /// All that is wanted by now.
    pub(crate) fn take(&self) -> BTreeMap<PageId, Wish> {
        std::mem::take(&mut self.wishes())
    }

    /// Held for one change only, which cannot leave it half done.
    fn wishes(&self) -> MutexGuard<'_, BTreeMap<PageId, Wish>> {
        self.wishes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
