use std::collections::BTreeSet;

use model::{Callee, Destination, IndexedDirectory, Invitee, NewCall, Person, Redirect};

/// Names whom a new call is for as the directory does.
pub(crate) fn of_call(directory: &IndexedDirectory, new: &mut NewCall) {
    match &mut new.destination {
        Destination::Group(invitees) => of_invitees(directory, invitees),
        Destination::Meeting(_) => {}
        Destination::Person(invitee) => of_invitees(directory, std::slice::from_mut(invitee)),
    }
}

/// Clients write ids of users in any case. One that the directory does not know stays: the call finds nobody.
pub(crate) fn of_invitees(directory: &IndexedDirectory, invitees: &mut [Invitee]) {
    for invitee in invitees {
        if let Person::User(user) = &mut invitee.callee
            && let Some(known) = directory.user_by_id(user)
        {
            *user = known.id.clone();
        }
    }
}

/// The same for those whom a call is sent on to, each of whom is called once.
pub(crate) fn of_redirect(directory: &IndexedDirectory, redirect: &mut Redirect) {
    for target in &mut redirect.targets {
        if let Callee::User(user) = &mut target.callee
            && let Some(known) = directory.user_by_id(user)
        {
            *user = known.id.clone();
        }
    }
    let mut called = BTreeSet::new();
    redirect.targets.retain(|target| called.insert(target.callee.clone()));
}
