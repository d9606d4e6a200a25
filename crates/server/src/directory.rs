//! The directory as commands change it.

use std::collections::BTreeMap;
use std::fmt;

use model::{
    AppId, Application, ApplicationInstance, Directory, Ha1, OnlineMeeting, PhoneNumber, Tenant, TenantId,
    Trunk, TrunkId, User, UserId,
};
use sip_message::digest::{self, Algorithm};
use store::DirectoryChange;

use crate::directory_meetings::Meetings;

/// What digest authentication keeps of a password, for both spellings of the user's name.
pub(crate) fn ha1(address: &str, realm: &str, password: &str) -> Ha1 {
    let local = address.split_once('@').map_or(address, |(local, _)| local);
    let hex = |algorithm, user| digest::Ha1::new(algorithm, user, realm, password).hex().to_owned();
    Ha1 {
        realm: realm.to_owned(),
        md5_local: hex(Algorithm::Md5, local),
        md5_address: hex(Algorithm::Md5, address),
        sha256_local: hex(Algorithm::Sha256, local),
        sha256_address: hex(Algorithm::Sha256, address),
    }
}

/// What it takes to make one directory another, and how people are told.
#[derive(Default)]
pub(crate) struct Difference {
    pub(crate) changes: Vec<DirectoryChange>,
    pub(crate) lines: Vec<Line>,
}

/// A change in words.
pub(crate) struct Line {
    sign: char,
    kind: &'static str,
    id: String,
    name: String,
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.sign, self.kind, self.id)?;
        if self.name.is_empty() { Ok(()) } else { write!(f, " ({})", self.name) }
    }
}

/// One kind of thing in the directory.
trait Kept: Clone + PartialEq {
    type Id: Ord + Clone + fmt::Display;
    const KIND: &'static str;

    fn name(&self) -> String;
    fn put(self) -> DirectoryChange;
    fn remove(id: Self::Id) -> DirectoryChange;
}

impl Kept for Tenant {
    type Id = TenantId;
    const KIND: &'static str = "tenant";

    fn name(&self) -> String {
        self.name.clone()
    }

    fn put(self) -> DirectoryChange {
        DirectoryChange::PutTenant(Box::new(self))
    }

    fn remove(id: TenantId) -> DirectoryChange {
        DirectoryChange::RemoveTenant(id)
    }
}

impl Kept for Application {
    type Id = AppId;
    const KIND: &'static str = "application";

    fn name(&self) -> String {
        self.name.clone()
    }

    fn put(self) -> DirectoryChange {
        DirectoryChange::PutApplication(Box::new(self))
    }

    fn remove(id: AppId) -> DirectoryChange {
        DirectoryChange::RemoveApplication(id)
    }
}

impl Kept for User {
    type Id = UserId;
    const KIND: &'static str = "user";

    fn name(&self) -> String {
        self.address.clone()
    }

    fn put(self) -> DirectoryChange {
        DirectoryChange::PutUser(Box::new(self))
    }

    fn remove(id: UserId) -> DirectoryChange {
        DirectoryChange::RemoveUser(id)
    }
}

impl Kept for ApplicationInstance {
    type Id = String;
    const KIND: &'static str = "application instance";

    fn name(&self) -> String {
        self.numbers.iter().map(PhoneNumber::as_str).collect::<Vec<_>>().join(", ")
    }

    fn put(self) -> DirectoryChange {
        DirectoryChange::PutInstance(Box::new(self))
    }

    fn remove(id: String) -> DirectoryChange {
        DirectoryChange::RemoveInstance(id)
    }
}

impl Kept for Trunk {
    type Id = TrunkId;
    const KIND: &'static str = "trunk";

    fn name(&self) -> String {
        self.name.clone()
    }

    fn put(self) -> DirectoryChange {
        DirectoryChange::PutTrunk(Box::new(self))
    }

    fn remove(id: TrunkId) -> DirectoryChange {
        DirectoryChange::RemoveTrunk(id)
    }
}

/// Compares what is there with what is wanted.
pub(crate) fn difference(present: &Directory, wanted: &Directory) -> Difference {
    let mut difference = Difference::default();
    difference.compare(&present.tenants, &wanted.tenants);
    difference.compare(&present.applications, &wanted.applications);
    difference.compare(&present.users, &wanted.users);
    difference.compare(&present.instances, &wanted.instances);
    difference.compare(&present.trunks, &wanted.trunks);
    difference
}

impl Difference {
    /// Adds what it takes to make the meetings of a file what they should be. How often one was changed since does not
    /// count.
    pub(crate) fn add_meetings(&mut self, present: &Meetings, wanted: &Meetings) {
        for (key, meeting) in wanted {
            let sign = match present.get(key) {
                None => '+',
                Some(there) if !is_same(there, meeting) => '~',
                Some(_) => continue,
            };
            let revision = present.get(key).map_or(0, |there| there.revision + 1);
            let changed = OnlineMeeting { revision, ..meeting.clone() };
            self.changes.push(DirectoryChange::PutMeeting(Box::new(changed)));
            self.lines.push(meeting_line(sign, meeting));
        }
        for (key, meeting) in present.iter().filter(|(key, _)| !wanted.contains_key(*key)) {
            let (tenant, id) = key.clone();
            self.changes.push(DirectoryChange::RemoveMeeting(tenant, id));
            self.lines.push(meeting_line('-', meeting));
        }
    }

    fn compare<T: Kept>(&mut self, present: &BTreeMap<T::Id, T>, wanted: &BTreeMap<T::Id, T>) {
        for (id, value) in wanted {
            let sign = match present.get(id) {
                None => '+',
                Some(there) if there != value => '~',
                Some(_) => continue,
            };
            self.changes.push(value.clone().put());
            self.lines.push(Line { sign, kind: T::KIND, id: id.to_string(), name: value.name() });
        }
        for (id, value) in present.iter().filter(|(id, _)| !wanted.contains_key(*id)) {
            self.changes.push(T::remove(id.clone()));
            self.lines.push(Line { sign: '-', kind: T::KIND, id: id.to_string(), name: value.name() });
        }
    }
}

fn is_same(there: &OnlineMeeting, wanted: &OnlineMeeting) -> bool {
    *there == OnlineMeeting { revision: there.revision, ..wanted.clone() }
}

fn meeting_line(sign: char, meeting: &OnlineMeeting) -> Line {
    let name = meeting.subject.clone().unwrap_or_default();
    Line { sign, kind: "meeting", id: format!("{} of {}", meeting.thread_id, meeting.tenant), name }
}
