//! `identity`, `identitySet`, `participantInfo`, `invitationParticipantInfo`.

use std::collections::BTreeMap;

use model::{Identity, IdentitySet, InvitationParticipant, Participant};
use serde_json::Value;

use crate::InvalidRequest;
use crate::invalid_request::Path;
use crate::wire::{
    Body, Defined, Definition, ENDPOINT_TYPES, Fields, Member, Nulls, Shape, Wire, wire_object,
};

wire_object! {
    Participant as "participantInfo" {
        identity: "identity" required,
        country_code: "countryCode" nullable,
        endpoint_type: "endpointType" endpoint_type,
        language_id: "languageId" nullable,
        region: "region" nullable,
    }
}

wire_object! {
    InvitationParticipant as "invitationParticipantInfo" {
        identity: "identity" required,
        endpoint_type: "endpointType" endpoint_type,
        hidden: "hidden" optional,
        remove_from_default_audio_routing_group: "removeFromDefaultAudioRoutingGroup" removed_from_audio,
        replaces_call_id: "replacesCallId" nullable,
    }
}

/// The definition of `invitationParticipantInfo`: with the id that documented answers show as null.
pub(crate) fn invitation_definition() -> Definition {
    let mut definition = InvitationParticipant::definition();
    if let Definition::Object { members, .. } = &mut definition {
        members.push(Member::nullable("id", Shape::Text));
    }
    definition
}

/// The definition of `participantInfo`: with the id that a transfer reads.
pub(crate) fn participant_definition() -> Definition {
    let mut definition = Participant::definition();
    if let Definition::Object { members, .. } = &mut definition {
        members.push(Member::nullable("participantId", Shape::Text));
    }
    definition
}

/// The definition of `endpointType`, which `model` keeps as text.
pub(crate) fn endpoint_type() -> Definition {
    Definition::Enumeration { name: "endpointType", members: ENDPOINT_TYPES.to_vec() }
}

/// Reads every subtype of `identity` alike: what they add is not used.
impl Wire for Identity {
    fn shape() -> Shape {
        Shape::Named("identity")
    }

    fn read(value: &Value, at: &Path<'_>) -> Result<Self, InvalidRequest> {
        let fields = Fields::any(value, at)?;
        fields.declared_type()?;
        // Only the server says of its own what they are.
        fields.optional::<String>("ApplicationType")?;
        Ok(Self {
            id: fields.optional("id")?,
            display_name: fields.optional("displayName")?,
            tenant_id: fields.optional("tenantId")?,
            application_type: None,
        })
    }

    fn write(&self, nulls: Nulls) -> Value {
        let mut body = Body::of("identity", nulls);
        body.optional("ApplicationType", &self.application_type);
        body.optional("id", &self.id);
        body.optional("displayName", &self.display_name);
        body.optional("tenantId", &self.tenant_id);
        body.into()
    }
}

impl Defined for Identity {
    fn definition() -> Definition {
        Definition::Object {
            name: "identity",
            base: None,
            members: vec![
                Member::of_optional("ApplicationType", |identity: &Self| &identity.application_type),
                Member::of_optional("displayName", |identity: &Self| &identity.display_name),
                Member::of_optional("id", |identity: &Self| &identity.id),
                Member::of_optional("tenantId", |identity: &Self| &identity.tenant_id),
            ],
        }
    }
}

/// Most kinds beside the named ones that are kept. Documented are five; more are ignored.
const MAX_OTHER_KINDS: usize = 8;

/// Reads `identitySet` and `communicationsIdentitySet` alike, and writes the first as the documentation does.
impl Wire for IdentitySet {
    fn shape() -> Shape {
        Shape::Named("identitySet")
    }

    fn read(value: &Value, at: &Path<'_>) -> Result<Self, InvalidRequest> {
        let fields = Fields::any(value, at)?;
        fields.declared_type()?;
        let mut set = Self {
            application: fields.optional("application")?,
            application_instance: fields.optional("applicationInstance")?,
            guest: fields.optional("guest")?,
            phone: fields.optional("phone")?,
            user: fields.optional("user")?,
            other: BTreeMap::new(),
        };
        for kind in OTHER_KINDS.iter().copied() {
            if let Some(identity) = fields.optional(kind)? {
                set.other.insert(kind.to_owned(), identity);
            }
        }
        for (kind, value) in fields.iter() {
            let is_known = NAMED_KINDS.iter().chain(OTHER_KINDS).any(|known| known == kind);
            let is_other = !kind.starts_with('@') && !is_known;
            if !is_other || set.other.len() >= MAX_OTHER_KINDS {
                continue;
            }
            if let Ok(identity) = Identity::read(value, at) {
                set.other.insert(kind.clone(), identity);
            }
        }
        Ok(set)
    }

    fn write(&self, nulls: Nulls) -> Value {
        let mut body = Body::of("identitySet", nulls);
        body.optional("application", &self.application);
        body.optional("applicationInstance", &self.application_instance);
        body.optional("guest", &self.guest);
        body.optional("phone", &self.phone);
        body.optional("user", &self.user);
        for (kind, identity) in &self.other {
            body.required(kind, identity);
        }
        body.into()
    }
}

const NAMED_KINDS: &[&str] = &["application", "applicationInstance", "guest", "phone", "user"];

/// Documented kinds that mean nothing here and are kept with the undocumented ones.
const OTHER_KINDS: &[&str] = &["device", "encrypted", "onPremises"];

impl Defined for IdentitySet {
    fn definition() -> Definition {
        let member = |name| Member::nullable(name, Identity::shape());
        Definition::Object {
            name: "identitySet",
            base: None,
            members: NAMED_KINDS.iter().chain(OTHER_KINDS).copied().map(member).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use model::{IdentitySet, InvitationParticipant};
    use serde_json::json;

    use crate::invalid_request::Path;
    use crate::wire::{Nulls, Wire};

    #[test]
    fn kinds_of_identity_that_no_type_declares_are_kept_and_shown_again() {
        let sent = json!({
            "@odata.type": "#microsoft.graph.communicationsIdentitySet",
            "user": null,
            "encrypted": {"@odata.type": "#microsoft.graph.identity", "id": "secret"},
            "note": 7,
        });
        let set = IdentitySet::read(&sent, &Path::Root).unwrap();
        assert_eq!(set.other.len(), 1);
        assert_eq!(
            set.write(Nulls::Show),
            json!({
                "@odata.type": "#microsoft.graph.identitySet",
                "encrypted": {"@odata.type": "#microsoft.graph.identity", "id": "secret"},
            })
        );
    }

    #[test]
    fn a_declared_member_of_the_wrong_type_is_refused_by_its_path() {
        let refuse = |sent| InvitationParticipant::read(&sent, &Path::Root).unwrap_err().to_string();
        assert_eq!(refuse(json!({"identity": {"user": {"id": 7}}})), "identity.user.id: expected a string");
        assert_eq!(refuse(json!({"identity": {"device": []}})), "identity.device: expected an object");
        assert_eq!(refuse(json!({})), "identity: expected a value: the member is required");
        assert_eq!(
            refuse(json!({"@odata.type": "#microsoft.graph.participant", "identity": {}})),
            "@odata.type: expected #microsoft.graph.invitationParticipantInfo"
        );
    }

    #[test]
    fn type_names_and_enumerations_are_read_in_any_case() {
        let sent = json!({
            "@odata.type": "Microsoft.Graph.InvitationParticipantInfo", "identity": {}, "endpointType": "Default",
        });
        let participant = InvitationParticipant::read(&sent, &Path::Root).unwrap();
        assert_eq!(participant.endpoint_type.as_deref(), Some("default"));
    }
}
