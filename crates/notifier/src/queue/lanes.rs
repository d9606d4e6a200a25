use std::collections::{BTreeMap, VecDeque};

use model::{AppId, CallId};

/// The app that is told and the host that is asked: what must not wait for another.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Lane {
    pub(super) app: AppId,
    pub(super) host: String,
}

/// Calls that could be sent for, and who may have the next free slot.
///
/// Apps take turns, and within an app its hosts do. An app or a host may take a slot only while it has fewer than are still
/// free: one that hangs ends up with half of them, two with a third each, and there is always one left for somebody else.
#[derive(Debug)]
pub(super) struct Lanes {
    apps: BTreeMap<AppId, App>,
    turns: VecDeque<AppId>,
    hosts_in_use: BTreeMap<String, usize>,
    in_use: usize,
    slots: usize,
    slots_per_host: usize,
}

#[derive(Debug, Default)]
struct App {
    hosts: BTreeMap<String, VecDeque<CallId>>,
    turns: VecDeque<String>,
    in_use: usize,
}

impl Lanes {
    pub(super) fn new(slots: usize, slots_per_host: usize) -> Self {
        Self {
            apps: BTreeMap::new(),
            turns: VecDeque::new(),
            hosts_in_use: BTreeMap::new(),
            in_use: 0,
            slots: slots.max(1),
            slots_per_host: slots_per_host.max(1),
        }
    }

    pub(super) const fn in_use(&self) -> usize {
        self.in_use
    }

    /// Whether any call waits for a slot.
    pub(super) fn has_ready(&self) -> bool {
        !self.turns.is_empty()
    }

    /// Puts a call at the end of its lane; it must not be in one.
    pub(super) fn push(&mut self, lane: &Lane, call: CallId) {
        let app = self.apps.entry(lane.app.clone()).or_default();
        if app.turns.is_empty() {
            self.turns.push_back(lane.app.clone());
        }
        let calls = app.hosts.entry(lane.host.clone()).or_default();
        if calls.is_empty() {
            app.turns.push_back(lane.host.clone());
        }
        calls.push_back(call);
    }

    /// Takes the next call and a slot for it.
    pub(super) fn pop(&mut self) -> Option<CallId> {
        let free = self.slots.saturating_sub(self.in_use);
        if free == 0 {
            return None;
        }
        for _ in 0..self.turns.len() {
            let id = self.turns.pop_front()?;
            let app = self.apps.get_mut(&id)?;
            let limit = (free, free.min(self.slots_per_host));
            let popped = app.pop(limit, &self.hosts_in_use);
            if !app.turns.is_empty() {
                self.turns.push_back(id);
            }
            if let Some((host, call)) = popped {
                *self.hosts_in_use.entry(host).or_default() += 1;
                self.in_use += 1;
                return Some(call);
            }
        }
        None
    }

    /// Gives a slot back.
    pub(super) fn release(&mut self, lane: &Lane) {
        self.in_use = self.in_use.saturating_sub(1);
        if let Some(count) = self.hosts_in_use.get_mut(&lane.host) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.hosts_in_use.remove(&lane.host);
            }
        }
        if let Some(app) = self.apps.get_mut(&lane.app) {
            app.in_use = app.in_use.saturating_sub(1);
            if app.in_use == 0 && app.turns.is_empty() {
                self.apps.remove(&lane.app);
            }
        }
    }
}

impl App {
    fn pop(
        &mut self,
        (for_app, for_host): (usize, usize),
        hosts_in_use: &BTreeMap<String, usize>,
    ) -> Option<(String, CallId)> {
        if self.in_use >= for_app {
            return None;
        }
        for _ in 0..self.turns.len() {
            let host = self.turns.pop_front()?;
            if hosts_in_use.get(&host).copied().unwrap_or(0) >= for_host {
                self.turns.push_back(host);
                continue;
            }
            let calls = self.hosts.get_mut(&host)?;
            let call = calls.pop_front();
            if calls.is_empty() {
                self.hosts.remove(&host);
            } else {
                self.turns.push_back(host.clone());
            }
            self.in_use += 1;
            return call.map(|call| (host, call));
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use model::{AppId, CallId};
    use uuid::Uuid;

    use super::{Lane, Lanes};

    fn lane(app: &str, host: &str) -> Lane {
        Lane { app: AppId::new(app), host: host.to_owned() }
    }

    fn fill(lanes: &mut Lanes, lane: &Lane, calls: std::ops::Range<u128>) {
        for call in calls {
            lanes.push(lane, CallId::from(Uuid::from_u128(call)));
        }
    }

    fn popped(lanes: &mut Lanes) -> Vec<u128> {
        std::iter::from_fn(|| lanes.pop()).map(|call| call.guid().as_u128()).collect()
    }

    #[test]
    fn apps_take_turns_whatever_they_have_waiting() {
        let mut lanes = Lanes::new(100, 100);
        fill(&mut lanes, &lane("a", "one"), 0..10);
        fill(&mut lanes, &lane("b", "two"), 10..12);
        fill(&mut lanes, &lane("a", "three"), 20..22);
        assert_eq!(popped(&mut lanes), [0, 10, 20, 11, 1, 21, 2, 3, 4, 5, 6, 7, 8, 9]);
        assert_eq!(lanes.in_use(), 14);
    }

    #[test]
    fn those_who_hang_leave_slots_for_others() {
        let mut lanes = Lanes::new(100, 100);
        fill(&mut lanes, &lane("a", "hangs"), 0..1000);
        assert_eq!(popped(&mut lanes).len(), 50);
        fill(&mut lanes, &lane("b", "hangs too"), 1000..2000);
        assert_eq!(popped(&mut lanes).len(), 25);
        fill(&mut lanes, &lane("c", "well"), 2000..2001);
        assert_eq!(popped(&mut lanes), [2000]);
    }

    #[test]
    fn an_app_gains_nothing_from_many_hosts_nor_a_host_from_many_apps() {
        let mut lanes = Lanes::new(100, 100);
        for host in 0..100 {
            fill(&mut lanes, &lane("a", &host.to_string()), host * 10..host * 10 + 10);
        }
        assert_eq!(popped(&mut lanes).len(), 50);
        let mut lanes = Lanes::new(100, 20);
        for app in 0..100 {
            fill(&mut lanes, &lane(&app.to_string(), "shared"), app * 10..app * 10 + 10);
        }
        assert_eq!(popped(&mut lanes).len(), 20);
        fill(&mut lanes, &lane("7", "other"), 5000..5001);
        assert_eq!(popped(&mut lanes), [5000]);
    }

    #[test]
    fn a_slot_that_is_given_back_goes_to_the_next() {
        let mut lanes = Lanes::new(1, 1);
        let only = lane("a", "one");
        fill(&mut lanes, &only, 0..3);
        for call in 0..3 {
            assert_eq!(popped(&mut lanes), [call]);
            lanes.release(&only);
        }
        assert!(!lanes.has_ready() && lanes.apps.is_empty() && lanes.hosts_in_use.is_empty());
    }
}
