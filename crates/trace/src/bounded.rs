use std::collections::VecDeque;

/// A list of bounded length: the first ones stay, and of the rest the latest.
#[derive(Debug)]
pub(crate) struct Bounded<T> {
    first: Vec<T>,
    latest: VecDeque<T>,
    most: usize,
    dropped: u64,
}

/// The share of the list for the first ones: how something began is worth as much as how it goes.
const FIRST: usize = 10;

impl<T> Bounded<T> {
    pub(crate) const fn new(most: usize) -> Self {
        Self { first: Vec::new(), latest: VecDeque::new(), most, dropped: 0 }
    }

    /// Adds one; returns what makes room for it, which may be the one itself.
    pub(crate) fn push(&mut self, one: T) -> Option<T> {
        let most_first = self.most / FIRST;
        if self.latest.is_empty() && self.first.len() < most_first {
            self.first.push(one);
            return None;
        }
        self.latest.push_back(one);
        if self.latest.len() <= self.most - most_first {
            return None;
        }
        self.dropped += 1;
        self.latest.pop_front()
    }

    /// Notes that something was not kept.
    pub(crate) const fn skip(&mut self) {
        self.dropped += 1;
    }

    pub(crate) const fn dropped(&self) -> u64 {
        self.dropped
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.first.iter().chain(&self.latest)
    }

    pub(crate) fn clear(&mut self) {
        self.first = Vec::new();
        self.latest = VecDeque::new();
    }
}

#[cfg(test)]
mod tests {
    use super::Bounded;

    #[test]
    fn the_first_and_the_latest_are_kept() {
        let mut list = Bounded::new(20);
        let gone: Vec<_> = (0..100).filter_map(|number| list.push(number)).collect();
        assert_eq!(list.iter().copied().collect::<Vec<_>>(), [vec![0, 1], (82..100).collect()].concat());
        assert_eq!((list.dropped(), gone), (80, (2..82).collect()));
    }

    #[test]
    fn a_list_without_room_keeps_nothing() {
        let mut list = Bounded::new(0);
        assert_eq!(list.push('a'), Some('a'));
        assert_eq!((list.iter().count(), list.dropped()), (0, 1));
    }
}
