//! Telephone keys and their numbers.

/// A telephone key, or the hook flash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tone {
    /// Key 0.
    Tone0,
    /// Key 1.
    Tone1,
    /// Key 2.
    Tone2,
    /// Key 3.
    Tone3,
    /// Key 4.
    Tone4,
    /// Key 5.
    Tone5,
    /// Key 6.
    Tone6,
    /// Key 7.
    Tone7,
    /// Key 8.
    Tone8,
    /// Key 9.
    Tone9,
    /// The `*` key.
    Star,
    /// The `#` key.
    Pound,
    /// Key A of the fourth column.
    A,
    /// Key B of the fourth column.
    B,
    /// Key C of the fourth column.
    C,
    /// Key D of the fourth column.
    D,
    /// A hook flash; it has a number but no sound.
    Flash,
}

/// Every tone in the order of its event number.
const BY_EVENT: [Tone; 17] = [
    Tone::Tone0,
    Tone::Tone1,
    Tone::Tone2,
    Tone::Tone3,
    Tone::Tone4,
    Tone::Tone5,
    Tone::Tone6,
    Tone::Tone7,
    Tone::Tone8,
    Tone::Tone9,
    Tone::Star,
    Tone::Pound,
    Tone::A,
    Tone::B,
    Tone::C,
    Tone::D,
    Tone::Flash,
];

/// Row frequencies of the keypad in Hz (ITU-T Q.23).
pub(crate) const LOW_HZ: [u16; 4] = [697, 770, 852, 941];
/// Column frequencies of the keypad in Hz (ITU-T Q.23).
pub(crate) const HIGH_HZ: [u16; 4] = [1209, 1336, 1477, 1633];

/// The keys as they lie on the pad, row by row.
const PAD: [[Tone; 4]; 4] = [
    [Tone::Tone1, Tone::Tone2, Tone::Tone3, Tone::A],
    [Tone::Tone4, Tone::Tone5, Tone::Tone6, Tone::B],
    [Tone::Tone7, Tone::Tone8, Tone::Tone9, Tone::C],
    [Tone::Star, Tone::Tone0, Tone::Pound, Tone::D],
];

impl Tone {
    /// The event number of RFC 4733, table 3: 0 to 16.
    #[must_use]
    pub const fn event(self) -> u8 {
        self as u8
    }

    /// The tone with the event number of RFC 4733, table 3.
    #[must_use]
    pub fn from_event(event: u8) -> Option<Self> {
        BY_EVENT.get(usize::from(event)).copied()
    }

    /// The pair of frequencies in Hz (ITU-T Q.23), or nothing for the flash.
    #[must_use]
    pub fn frequencies(self) -> Option<(u16, u16)> {
        PAD.iter().zip(LOW_HZ).find_map(|(row, low)| {
            row.iter().zip(HIGH_HZ).find_map(|(tone, high)| (*tone == self).then_some((low, high)))
        })
    }

    /// The key at a row and a column of the pad.
    pub(crate) fn at(row: usize, column: usize) -> Option<Self> {
        PAD.get(row)?.get(column).copied()
    }

    /// The character on the key; `!` for a hook flash.
    #[must_use]
    pub fn key(self) -> char {
        "0123456789*#ABCD".chars().nth(usize::from(self.event())).unwrap_or('!')
    }

    /// The key that a character names: `0`-`9`, `*`, `#`, `a`-`d`, `A`-`D`.
    #[must_use]
    pub fn from_char(key: char) -> Option<Self> {
        "0123456789*#ABCD"
            .chars()
            .position(|known| known == key.to_ascii_uppercase())
            .and_then(|event| BY_EVENT.get(event).copied())
    }
}

/// A key that the far end pressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ToneEvent {
    /// Which key.
    pub tone: Tone,
    /// RTP timestamp at which it began.
    pub timestamp: u32,
}

/// A set of tones, such as those that stop a recording.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ToneSet(u32);

impl ToneSet {
    /// True when `tone` is in the set.
    #[must_use]
    pub const fn contains(self, tone: Tone) -> bool {
        self.0 & (1 << tone.event()) != 0
    }

    /// The set with `tone` in it.
    #[must_use]
    pub const fn with(self, tone: Tone) -> Self {
        Self(self.0 | (1 << tone.event()))
    }
}

impl FromIterator<Tone> for ToneSet {
    fn from_iter<I: IntoIterator<Item = Tone>>(tones: I) -> Self {
        tones.into_iter().fold(Self::default(), Self::with)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_event_number_maps_to_its_tone_and_back() {
        for event in 0..=16 {
            let tone = Tone::from_event(event).unwrap();
            assert_eq!(tone.event(), event);
            assert_eq!(tone.frequencies().is_some(), event < 16);
        }
        assert_eq!(Tone::from_event(17), None);
    }

    #[test]
    fn keys_have_the_frequencies_of_the_pad() {
        assert_eq!(Tone::Tone5.frequencies(), Some((770, 1336)));
        assert_eq!(Tone::Pound.frequencies(), Some((941, 1477)));
        assert_eq!(Tone::from_char('d').and_then(Tone::frequencies), Some((941, 1633)));
        assert_eq!(Tone::from_char('x'), None);
    }

    #[test]
    fn a_tone_set_holds_what_was_put_in() {
        let set: ToneSet = [Tone::Pound, Tone::Tone1].into_iter().collect();
        assert!(set.contains(Tone::Pound) && set.contains(Tone::Tone1));
        assert!(!set.contains(Tone::Star));
    }
}
