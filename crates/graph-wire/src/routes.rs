//! The served surface as one table. `api` serves it, `openapi` describes it, and both are tested against it.

use model::Permission;

pub use crate::meeting_routes::MEETING_ROUTES;
use crate::wire::Member;
use crate::{
    CancelMediaProcessing, ChangeScreenSharingRole, Invite, MuteAll, PlainAction, PlayPrompt, RecordResponse,
    SendDtmfTones, StartHoldMusic, SubscribeToTone, UpdateRecordingStatus,
};

/// One method of one path.
///
/// Every action is served under its qualified name too (`microsoft.graph.playPrompt`), every path below `/app/calls` as
/// well as `/communications/calls`, and a call's id as a key (`calls('{call-id}')`).
#[derive(Clone, Copy, Debug)]
pub struct Route {
    /// The HTTP method in upper case.
    pub method: &'static str,
    /// The path below the version, with `{call-id}`, `{commsOperation-id}` and the like.
    pub path: &'static str,
    /// A name that is unique in the table.
    pub name: &'static str,
    /// What it does, in a sentence.
    pub summary: &'static str,
    /// The status of success.
    pub success: u16,
    /// The statuses of the errors that it answers beside those that every route may ([`COMMON_ERRORS`]).
    pub errors: &'static [u16],
    /// The type of the body that success answers, without `microsoft.graph.`; `None` for no body.
    pub response: Option<&'static str>,
    /// The permissions that the documentation lists, one of which is needed. Those of calls are checked when the call is
    /// made, by what the request means; afterwards the caller must be the application that owns the call.
    pub permissions: &'static [&'static str],
    pub(crate) request: Request,
}

/// What a route reads.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Request {
    /// Nothing.
    Empty,
    /// An object of a named type.
    Named(&'static str),
    /// The parameters of an action.
    Parameters(fn() -> Vec<Member>),
}

/// The statuses that every route may answer: token, permission, unknown call, rate, fault, and not ready.
pub const COMMON_ERRORS: &[u16] = &[401, 403, 404, 429, 500, 503];

/// The statuses of an action that cannot be taken: malformed or invalid, not now, too long, not JSON.
const ACTION_ERRORS: &[u16] = &[400, 409, 413, 415];

const HOLDER: &[&str] = &[Permission::ACCESS_MEDIA, Permission::INITIATE];
const MEDIA: &[&str] = &[Permission::ACCESS_MEDIA];
const JOINER: &[&str] = &[Permission::JOIN_GROUP_CALL, Permission::JOIN_GROUP_CALL_AS_GUEST];
const GROUP_HOLDER: &[&str] = &[Permission::INITIATE_GROUP_CALL, Permission::JOIN_GROUP_CALL];

/// Everything that is served below `/communications` in every version.
pub const ROUTES: &[Route] = &[
    Route {
        method: "POST",
        path: "/communications/calls",
        name: "createCall",
        summary: "Creates a call. What the body means decides which permission is needed.",
        success: 201,
        errors: &[400, 413, 415, 501],
        response: Some("call"),
        permissions: &[
            Permission::INITIATE,
            Permission::INITIATE_GROUP_CALL,
            Permission::JOIN_GROUP_CALL,
            Permission::JOIN_GROUP_CALL_AS_GUEST,
            Permission::JOIN_CALLS_OF_CHAT,
        ],
        request: Request::Named("call"),
    },
    Route {
        method: "GET",
        path: "/communications/calls/{call-id}",
        name: "getCall",
        summary: "Shows a call.",
        success: 200,
        errors: &[400],
        response: Some("call"),
        permissions: HOLDER,
        request: Request::Empty,
    },
    Route {
        method: "DELETE",
        path: "/communications/calls/{call-id}",
        name: "deleteCall",
        summary: "Hangs up.",
        success: 204,
        errors: &[],
        response: None,
        permissions: HOLDER,
        request: Request::Empty,
    },
    Route {
        method: "POST",
        path: "/communications/calls/{call-id}/keepAlive",
        name: "keepAlive",
        summary: "Says that the application still wants the call; to be repeated within 45 minutes.",
        success: 200,
        errors: &[],
        response: None,
        permissions: HOLDER,
        request: Request::Empty,
    },
    Route {
        method: "POST",
        path: "/communications/calls/{call-id}/playPrompt",
        name: "playPrompt",
        summary: "Plays prompts, after the media operations that wait already.",
        success: 200,
        errors: ACTION_ERRORS,
        response: Some("playPromptOperation"),
        permissions: HOLDER,
        request: Request::Parameters(PlayPrompt::parameters),
    },
    Route {
        method: "POST",
        path: "/communications/calls/{call-id}/recordResponse",
        name: "recordResponse",
        summary: "Records what the far end says, perhaps after a prompt and a beep.",
        success: 200,
        errors: ACTION_ERRORS,
        response: Some("recordOperation"),
        permissions: MEDIA,
        request: Request::Parameters(RecordResponse::parameters),
    },
    Route {
        method: "POST",
        path: "/communications/calls/{call-id}/subscribeToTone",
        name: "subscribeToTone",
        summary: "Asks to be told of the keys that the far end presses.",
        success: 200,
        errors: ACTION_ERRORS,
        response: Some("subscribeToToneOperation"),
        permissions: MEDIA,
        request: Request::Parameters(SubscribeToTone::parameters),
    },
    Route {
        method: "POST",
        path: "/communications/calls/{call-id}/cancelMediaProcessing",
        name: "cancelMediaProcessing",
        summary: "Ends the prompts, recordings and keys that run or wait.",
        success: 200,
        errors: ACTION_ERRORS,
        response: Some("cancelMediaProcessingOperation"),
        permissions: HOLDER,
        request: Request::Parameters(CancelMediaProcessing::parameters),
    },
    Route {
        method: "POST",
        path: "/communications/calls/{call-id}/sendDtmfTones",
        name: "sendDtmfTones",
        summary: "Sends keys to the far end.",
        success: 200,
        errors: ACTION_ERRORS,
        response: Some("sendDtmfTonesOperation"),
        permissions: MEDIA,
        request: Request::Parameters(SendDtmfTones::parameters),
    },
    Route {
        method: "GET",
        path: "/communications/calls/{call-id}/operations",
        name: "listOperations",
        summary: "Lists a call's operations.",
        success: 200,
        errors: &[400],
        response: Some("commsOperationCollectionResponse"),
        permissions: &[],
        request: Request::Empty,
    },
    Route {
        method: "GET",
        path: "/communications/calls/{call-id}/operations/{commsOperation-id}",
        name: "getOperation",
        summary: "Shows an operation.",
        success: 200,
        errors: &[400],
        response: Some("commsOperation"),
        permissions: &[],
        request: Request::Empty,
    },
    Route {
        method: "POST",
        path: "/communications/calls/{call-id}/mute",
        name: "mute",
        summary: "Mutes the application itself.",
        success: 200,
        errors: ACTION_ERRORS,
        response: Some("muteParticipantOperation"),
        permissions: HOLDER,
        request: Request::Parameters(PlainAction::parameters),
    },
    Route {
        method: "POST",
        path: "/communications/calls/{call-id}/unmute",
        name: "unmute",
        summary: "Unmutes the application itself.",
        success: 200,
        errors: ACTION_ERRORS,
        response: Some("unmuteParticipantOperation"),
        permissions: HOLDER,
        request: Request::Parameters(PlainAction::parameters),
    },
    Route {
        method: "POST",
        path: "/communications/calls/{call-id}/changeScreenSharingRole",
        name: "changeScreenSharingRole",
        summary: "Takes a side in screen sharing.",
        success: 202,
        errors: ACTION_ERRORS,
        response: None,
        permissions: MEDIA,
        request: Request::Parameters(ChangeScreenSharingRole::parameters),
    },
    Route {
        method: "POST",
        path: "/communications/calls/{call-id}/updateRecordingStatus",
        name: "updateRecordingStatus",
        summary: "Says whether the application records.",
        success: 200,
        errors: ACTION_ERRORS,
        response: Some("updateRecordingStatusOperation"),
        permissions: &[Permission::ACCESS_MEDIA, Permission::JOIN_GROUP_CALL],
        request: Request::Parameters(UpdateRecordingStatus::parameters),
    },
    Route {
        method: "POST",
        path: "/communications/calls/{call-id}/addLargeGalleryView",
        name: "addLargeGalleryView",
        summary: "Shows several pictures as one participant.",
        success: 202,
        errors: ACTION_ERRORS,
        response: Some("addLargeGalleryViewOperation"),
        permissions: &[
            Permission::INITIATE_GROUP_CALL,
            Permission::JOIN_GROUP_CALL,
            Permission::JOIN_GROUP_CALL_AS_GUEST,
        ],
        request: Request::Parameters(PlainAction::parameters),
    },
    Route {
        method: "GET",
        path: "/communications/calls/{call-id}/participants",
        name: "listParticipants",
        summary: "Lists who is in the call.",
        success: 200,
        errors: &[400],
        response: Some("participantCollectionResponse"),
        permissions: HOLDER,
        request: Request::Empty,
    },
    Route {
        method: "GET",
        path: "/communications/calls/{call-id}/participants/{participant-id}",
        name: "getParticipant",
        summary: "Shows a participant.",
        success: 200,
        errors: &[400],
        response: Some("participant"),
        permissions: JOINER,
        request: Request::Empty,
    },
    Route {
        method: "DELETE",
        path: "/communications/calls/{call-id}/participants/{participant-id}",
        name: "deleteParticipant",
        summary: "Sends a participant away, or cancels the call to one that has not answered.",
        success: 204,
        errors: &[400, 409],
        response: None,
        permissions: JOINER,
        request: Request::Empty,
    },
    Route {
        method: "POST",
        path: "/communications/calls/{call-id}/participants/invite",
        name: "invite",
        summary: "Calls others into the conference; makes one of a call between two.",
        success: 200,
        errors: &[400, 409, 413, 415, 501],
        response: Some("inviteParticipantsOperation"),
        permissions: &[Permission::INITIATE_GROUP_CALL],
        request: Request::Parameters(Invite::parameters),
    },
    Route {
        method: "POST",
        path: "/communications/calls/{call-id}/participants/{participant-id}/mute",
        name: "muteParticipant",
        summary: "Mutes a participant.",
        success: 200,
        errors: ACTION_ERRORS,
        response: Some("muteParticipantOperation"),
        permissions: JOINER,
        request: Request::Parameters(PlainAction::parameters),
    },
    Route {
        method: "POST",
        path: "/communications/calls/{call-id}/participants/{participant-id}/startHoldMusic",
        name: "startHoldMusic",
        summary: "Takes a participant aside, to music.",
        success: 202,
        errors: ACTION_ERRORS,
        response: Some("startHoldMusicOperation"),
        permissions: JOINER,
        request: Request::Parameters(StartHoldMusic::parameters),
    },
    Route {
        method: "POST",
        path: "/communications/calls/{call-id}/participants/{participant-id}/stopHoldMusic",
        name: "stopHoldMusic",
        summary: "Takes a participant back from the music.",
        success: 202,
        errors: ACTION_ERRORS,
        response: Some("stopHoldMusicOperation"),
        permissions: JOINER,
        request: Request::Parameters(PlainAction::parameters),
    },
    Route {
        method: "GET",
        path: "/communications/calls/{call-id}/audioRoutingGroups",
        name: "listRoutingGroups",
        summary: "Lists the private routes of sound.",
        success: 200,
        errors: &[400],
        response: Some("audioRoutingGroupCollectionResponse"),
        permissions: GROUP_HOLDER,
        request: Request::Empty,
    },
    Route {
        method: "POST",
        path: "/communications/calls/{call-id}/audioRoutingGroups",
        name: "createRoutingGroup",
        summary: "Makes a private route of sound.",
        success: 200,
        errors: ACTION_ERRORS,
        response: Some("audioRoutingGroup"),
        permissions: GROUP_HOLDER,
        request: Request::Named("audioRoutingGroup"),
    },
    Route {
        method: "GET",
        path: "/communications/calls/{call-id}/audioRoutingGroups/{audioRoutingGroup-id}",
        name: "getRoutingGroup",
        summary: "Shows a private route of sound.",
        success: 200,
        errors: &[400],
        response: Some("audioRoutingGroup"),
        permissions: GROUP_HOLDER,
        request: Request::Empty,
    },
    Route {
        method: "PATCH",
        path: "/communications/calls/{call-id}/audioRoutingGroups/{audioRoutingGroup-id}",
        name: "updateRoutingGroup",
        summary: "Changes a private route of sound.",
        success: 200,
        errors: ACTION_ERRORS,
        response: Some("audioRoutingGroup"),
        permissions: GROUP_HOLDER,
        request: Request::Named("audioRoutingGroup"),
    },
    Route {
        method: "DELETE",
        path: "/communications/calls/{call-id}/audioRoutingGroups/{audioRoutingGroup-id}",
        name: "deleteRoutingGroup",
        summary: "Ends a private route of sound.",
        success: 204,
        errors: &[400, 409],
        response: None,
        permissions: GROUP_HOLDER,
        request: Request::Empty,
    },
];

/// What is served below `/beta` only, as the documentation has it: `/v1.0` answers 404.
pub const BETA_ROUTES: &[Route] = &[
    Route {
        method: "POST",
        path: "/communications/calls/{call-id}/participants/muteAll",
        name: "muteAll",
        summary: "Mutes everyone else, or those that are named.",
        success: 200,
        errors: ACTION_ERRORS,
        response: Some("commsOperation"),
        permissions: JOINER,
        request: Request::Parameters(MuteAll::parameters),
    },
    Route {
        method: "POST",
        path: "/communications/calls/{call-id}/participants/admitAllFromLobby",
        name: "admitAllFromLobby",
        summary: "Lets everyone in who waits in the lobby.",
        success: 204,
        errors: ACTION_ERRORS,
        response: None,
        permissions: JOINER,
        request: Request::Parameters(PlainAction::parameters),
    },
    Route {
        method: "POST",
        path: "/communications/calls/{call-id}/participants/{participant-id}/admitFromLobby",
        name: "admitFromLobby",
        summary: "Lets someone in from the lobby.",
        success: 204,
        errors: ACTION_ERRORS,
        response: None,
        permissions: JOINER,
        request: Request::Parameters(PlainAction::parameters),
    },
    Route {
        method: "POST",
        path: "/communications/calls/{call-id}/participants/{participant-id}/removeFromLobby",
        name: "removeFromLobby",
        summary: "Sends someone away who waits in the lobby.",
        success: 204,
        errors: ACTION_ERRORS,
        response: None,
        permissions: JOINER,
        request: Request::Parameters(PlainAction::parameters),
    },
];
