use model::Permission;

use crate::CreateMeeting;
use crate::routes::{Request, Route};

const READERS: &[&str] = &[Permission::READ_MEETINGS, Permission::WRITE_MEETINGS];
const WRITERS: &[&str] = &[Permission::WRITE_MEETINGS];

/// The statuses of a body that is not taken: malformed or invalid, too long, not JSON, known and not served.
const BODY_ERRORS: &[u16] = &[400, 413, 415, 501];

const OF_USER: &str = "/users/{user-id}/onlineMeetings";
const ONE_OF_USER: &str = "/users/{user-id}/onlineMeetings/{onlineMeeting-id}";
const OF_ALL: &str = "/communications/onlineMeetings";
const ONE_OF_ALL: &str = "/communications/onlineMeetings/{onlineMeeting-id}";

/// Everything that is served of meetings, in every version.
///
/// Below `/users` an application access policy of the tenant has to let the application act for that user, below
/// `/communications` for the meeting's organizer; looking one up by its number for video systems needs none.
pub const MEETING_ROUTES: &[Route] = &[
    list("listMeetingsOfUser", OF_USER, "Finds a meeting that the user called or is invited to."),
    create("createMeetingOfUser", OF_USER, "Makes a meeting that the user calls."),
    create_or_get(
        "createOrGetMeetingOfUser",
        "/users/{user-id}/onlineMeetings/createOrGet",
        "Finds the meeting of the user that has this external id, or makes it.",
    ),
    read("getMeetingOfUser", ONE_OF_USER, "Shows a meeting that the user called or is invited to."),
    update("updateMeetingOfUser", ONE_OF_USER, "Changes a meeting that the user called."),
    delete("deleteMeetingOfUser", ONE_OF_USER, "Deletes a meeting that the user called."),
    list("listMeetings", OF_ALL, "Finds a meeting."),
    create("createMeeting", OF_ALL, "Makes a meeting that the organizer among its participants calls."),
    create_or_get(
        "createOrGetMeeting",
        "/communications/onlineMeetings/createOrGet",
        "Finds the meeting of the organizer that has this external id, or makes it.",
    ),
    read("getMeeting", ONE_OF_ALL, "Shows a meeting."),
    update("updateMeeting", ONE_OF_ALL, "Changes a meeting."),
    delete("deleteMeeting", ONE_OF_ALL, "Deletes a meeting."),
];

const fn list(name: &'static str, path: &'static str, summary: &'static str) -> Route {
    let response = Some("onlineMeetingCollectionResponse");
    Route { response, ..read(name, path, summary) }
}

const fn read(name: &'static str, path: &'static str, summary: &'static str) -> Route {
    Route {
        method: "GET",
        path,
        name,
        summary,
        success: 200,
        errors: &[400],
        response: Some("onlineMeeting"),
        permissions: READERS,
        request: Request::Empty,
    }
}

const fn create(name: &'static str, path: &'static str, summary: &'static str) -> Route {
    Route {
        method: "POST",
        success: 201,
        errors: BODY_ERRORS,
        permissions: WRITERS,
        request: Request::Named("onlineMeeting"),
        ..read(name, path, summary)
    }
}

const fn create_or_get(name: &'static str, path: &'static str, summary: &'static str) -> Route {
    Route {
        success: 200,
        request: Request::Parameters(CreateMeeting::create_or_get_parameters),
        ..create(name, path, summary)
    }
}

const fn update(name: &'static str, path: &'static str, summary: &'static str) -> Route {
    Route { method: "PATCH", success: 200, errors: &[400, 409, 413, 415, 501], ..create(name, path, summary) }
}

const fn delete(name: &'static str, path: &'static str, summary: &'static str) -> Route {
    Route {
        method: "DELETE",
        success: 204,
        errors: &[],
        response: None,
        permissions: WRITERS,
        ..read(name, path, summary)
    }
}
