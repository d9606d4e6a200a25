//! Whose a call is that comes in from the phone network.

use std::net::IpAddr;

use model::{ApplicationInstance, IndexedDirectory, PhoneNumber, Tenant, Trunk};

use crate::numbers::received;

/// Whose a call is that comes in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inbound<'a> {
    /// It is for the meetings of a tenant: the caller says which one.
    DialIn {
        /// The trunk that it comes from.
        trunk: &'a Trunk,
        /// The tenant.
        tenant: &'a Tenant,
        /// The number that was called.
        number: PhoneNumber,
    },
    /// It is an application's.
    Instance {
        /// The trunk that it comes from.
        trunk: &'a Trunk,
        /// The application instance.
        instance: &'a ApplicationInstance,
        /// The number that was called.
        number: PhoneNumber,
    },
    /// A trunk's peer calls a number that nobody in the trunk's tenant has.
    UnknownNumber {
        /// The trunk, or the first of several that the source is of.
        trunk: &'a Trunk,
    },
    /// No trunk has this source.
    Unlisted,
}

/// Says whose a call is, by the address that it came from and the number in its Request-URI (the user part).
///
/// A source may be of several trunks: then the number decides, and among those of one tenant the first that `takes` the call,
/// such as by its transport. Nothing is allocated, so that whoever calls in vain costs next to nothing.
pub fn screen<'a>(
    directory: &'a IndexedDirectory,
    source: IpAddr,
    dialled: &str,
    takes: impl Fn(&Trunk) -> bool,
) -> Inbound<'a> {
    let mut first = None;
    for trunk in directory.trunks.values().filter(|trunk| trunk.is_source(source) && takes(trunk)) {
        if let Some(known) = taker(directory, trunk, dialled) {
            return known;
        }
        first = first.or(Some(trunk));
    }
    first.map_or(Inbound::Unlisted, |trunk| Inbound::UnknownNumber { trunk })
}

/// Who in the trunk's tenant has the number.
fn taker<'a>(directory: &'a IndexedDirectory, trunk: &'a Trunk, dialled: &str) -> Option<Inbound<'a>> {
    let number = received(trunk, dialled)?;
    let instance = directory.instance_by_number(&number).filter(|instance| instance.tenant == trunk.tenant);
    if let Some(instance) = instance {
        return Some(Inbound::Instance { trunk, instance, number });
    }
    let tenant = directory.dial_in_tenant(&number).filter(|tenant| tenant.id == trunk.tenant)?;
    Some(Inbound::DialIn { trunk, tenant, number })
}
