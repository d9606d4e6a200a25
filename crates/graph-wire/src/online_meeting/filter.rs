use url::form_urlencoded;

use crate::InvalidRequest;

/// What a list of meetings is asked for. Each finds one meeting or none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MeetingFilter {
    /// `joinMeetingIdSettings/joinMeetingId eq '…'`
    JoinMeetingId(String),
    /// `joinWebUrl eq '…'`, as it stands in the filter; see [`crate::JoinUrl::parse`].
    JoinWebUrl(String),
    /// `videoTeleconferenceId eq '…'`
    VideoTeleconferenceId(String),
}

impl MeetingFilter {
    /// Reads `$filter` of the query of a URL, still percent-encoded and without the question mark.
    ///
    /// The grammar is the one comparison that is documented. Names are matched in any case; a quote within the value is
    /// doubled (OData URL conventions, 5.1.1.6.1); digits may stand without quotes.
    ///
    /// # Errors
    ///
    /// [`InvalidRequest::QueryOption`] for any other filter, and where there is none.
    pub fn from_query(query: &str) -> Result<Self, InvalidRequest> {
        let options = form_urlencoded::parse(query.as_bytes());
        let filters = options.filter(|(name, _)| is_filter(name));
        let text = filters.last().map(|(_, value)| value.into_owned()).unwrap_or_default();
        Self::parse(&text).ok_or(InvalidRequest::QueryOption { option: "$filter", expected: EXPECTED })
    }

    fn parse(text: &str) -> Option<Self> {
        let (name, rest) = text.trim().split_once(char::is_whitespace)?;
        let (operator, value) = rest.trim_start().split_once(char::is_whitespace)?;
        if !operator.eq_ignore_ascii_case("eq") {
            return None;
        }
        let value = literal(value.trim())?;
        let is_named = |known: &str| name.eq_ignore_ascii_case(known);
        if is_named("joinWebUrl") {
            Some(Self::JoinWebUrl(value))
        } else if is_named("joinMeetingIdSettings/joinMeetingId") {
            Some(Self::JoinMeetingId(value))
        } else if is_named("videoTeleconferenceId") {
            Some(Self::VideoTeleconferenceId(value))
        } else {
            None
        }
    }
}

const EXPECTED: &str =
    "joinWebUrl eq '…', joinMeetingIdSettings/joinMeetingId eq '…' or videoTeleconferenceId eq '…'";

fn is_filter(name: &str) -> bool {
    name.strip_prefix('$').unwrap_or(name).eq_ignore_ascii_case("filter")
}

/// The text of a string literal, or of digits without quotes.
fn literal(text: &str) -> Option<String> {
    let Some(quoted) = text.strip_prefix('\'') else {
        let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        return is_number.then(|| text.to_owned());
    };
    let quoted = quoted.strip_suffix('\'')?;
    let unescaped = quoted.replace("''", "\0");
    // A single quote in the middle ends the literal, and something else follows it.
    (!unescaped.contains('\'')).then(|| unescaped.replace('\0', "'"))
}
