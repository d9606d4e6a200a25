//! `onlineMeeting`: what requests say of one, how it is shown, found and joined.

mod body;
mod filter;
mod join_information;
mod join_url;
mod options;
mod request;

pub use body::{MeetingCollection, MeetingView, meeting_list, read_meeting};
pub use filter::MeetingFilter;
pub use join_information::Language;
pub use join_url::{JoinUrl, join_web_url};
pub use request::{CreateMeeting, MeetingIds, UpdateMeeting};

pub(crate) use body::meeting_definitions;
pub(crate) use join_url::encode;
