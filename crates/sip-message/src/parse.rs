//! Reading one message (RFC 3261, 7, 18.3 and 25).

use bytes::Bytes;

use crate::reject::{Problem, Reject};
use crate::{HeaderError, Headers, Limits, Message, Method, Request, Response, StatusCode, Uri, lex};

/// Whether a datagram holds only line breaks, as peers send them to keep a NAT binding open.
pub fn is_keep_alive(datagram: &[u8]) -> bool {
    datagram.iter().all(|byte| matches!(byte, b'\r' | b'\n' | 0))
}

/// Reads the message of a UDP datagram. Without Content-Length the body reaches to the end; octets after it are
/// dropped (RFC 3261, 18.3).
///
/// # Errors
/// When the datagram is no well-formed message or exceeds a limit.
pub fn parse_datagram(datagram: &Bytes, limits: &Limits) -> Result<Message, Reject> {
    let start = leading_line_breaks(datagram);
    let input = datagram.slice(start..);
    let head_end = find_head_end(&input, 0);
    let head = input.slice(..head_end.unwrap_or(input.len()).min(limits.message_octets));
    let mut draft = Draft::read(&head, limits);
    let body = input.slice(head_end.unwrap_or(input.len())..);
    if datagram.len() > limits.message_octets {
        draft.problem = Some(too_large());
    }
    if head_end.is_none() {
        draft.note(Problem::bad("Missing Empty Line After Header Fields"));
    }
    let body = match draft.headers.content_length() {
        Ok(Some(length)) if length > body.len() => {
            draft.note(Problem::bad("Content-Length Exceeds Datagram"));
            body
        }
        Ok(Some(length)) => body.slice(..length),
        Ok(None) => body,
        Err(error) => {
            draft.note(error.into());
            body
        }
    };
    draft.finish(body)
}

pub(crate) fn too_large() -> Problem {
    Problem::new(StatusCode::MESSAGE_TOO_LARGE, "Message Too Large")
}

/// How many octets of whole line breaks stand before the start line (RFC 3261, 7.5).
fn leading_line_breaks(input: &[u8]) -> usize {
    let mut rest = input;
    while let Some(after) = rest.strip_prefix(b"\r\n") {
        rest = after;
    }
    input.len() - rest.len()
}

/// Where the body begins, searched from `from` on.
pub(crate) fn find_head_end(input: &[u8], from: usize) -> Option<usize> {
    let at = memchr::memmem::find(input.get(from..)?, b"\r\n\r\n")?;
    Some(from + at + 4)
}

enum Start {
    Request(Method, Uri),
    Response(StatusCode, String),
}

/// A message whose body has not been read: what could be read of it, and the first problem.
pub(crate) struct Draft {
    start: Option<Start>,
    /// Known for every request whose first word is a method, even when the rest of the line is wrong.
    method: Option<Method>,
    pub(crate) headers: Headers,
    problem: Option<Problem>,
}

impl Draft {
    /// Reads start line and header fields. Goes on after a problem, so that a request can be answered.
    pub(crate) fn read(head: &[u8], limits: &Limits) -> Self {
        let mut draft = Self { start: None, method: None, headers: Headers::new(), problem: None };
        match std::str::from_utf8(head) {
            Ok(text) => draft.read_lines(text, limits),
            Err(_) => {
                draft.note(Problem::bad("Header Fields Are Not UTF-8"));
                draft.read_lines(&String::from_utf8_lossy(head), limits);
            }
        }
        if draft.problem.is_none() {
            draft.check();
        }
        draft
    }

    /// The message, once its body is here.
    pub(crate) fn finish(self, body: Bytes) -> Result<Message, Reject> {
        match (self.problem, self.start) {
            (None, Some(Start::Request(method, uri))) => {
                Ok(Message::Request(Request { method, uri, headers: self.headers, body }))
            }
            (None, Some(Start::Response(status, reason))) => {
                Ok(Message::Response(Response { status, reason, headers: self.headers, body }))
            }
            (problem, _) => {
                let problem = problem.unwrap_or_else(|| Problem::bad("Malformed Start Line"));
                Err(problem.reject(self.method, self.headers))
            }
        }
    }

    /// Refuses the message, whatever else is wrong with it.
    pub(crate) fn refuse(self, problem: Problem) -> Reject {
        problem.reject(self.method, self.headers)
    }

    /// Keeps the first problem.
    pub(crate) fn note(&mut self, problem: Problem) {
        self.problem.get_or_insert(problem);
    }

    fn read_lines(&mut self, text: &str, limits: &Limits) {
        let (line, mut rest) = next_line(text);
        self.read_start(line, limits);
        while !rest.is_empty() {
            let (line, mut after) = next_line(rest);
            if line.is_empty() {
                break;
            }
            let mut octets = line.len();
            let mut folded: Option<String> = None;
            while after.starts_with([' ', '\t']) {
                let (more, later) = next_line(after);
                octets += more.len();
                after = later;
                if octets > limits.line_octets {
                    continue;
                }
                let value = folded.get_or_insert_with(|| line.trim_end().to_owned());
                value.push(' ');
                value.push_str(more.trim_matches([' ', '\t']));
            }
            rest = after;
            if octets > limits.line_octets {
                self.note(Problem::bad("Header Field Too Long"));
                continue;
            }
            if self.headers.len() >= limits.header_count {
                self.note(Problem::bad("Too Many Header Fields"));
                break;
            }
            self.read_field(folded.as_deref().unwrap_or(line));
        }
    }

    fn read_field(&mut self, line: &str) {
        let Some((name, value)) = line.split_once(':') else {
            return self.note(Problem::bad("Header Field Without Colon"));
        };
        let name = lex::trim(name);
        if line.starts_with([' ', '\t']) || !lex::is_token(name) {
            return self.note(Problem::bad("Malformed Header Field Name"));
        }
        if memchr::memchr2(b'\r', b'\n', value.as_bytes()).is_some() {
            return self.note(Problem::bad("Stray Line Break"));
        }
        self.headers.push_parsed(name, lex::trim(value));
    }

    fn read_start(&mut self, line: &str, limits: &Limits) {
        let starts_as_response = line.get(..4).is_some_and(|word| word.eq_ignore_ascii_case("SIP/"));
        let result = if starts_as_response {
            read_status_line(line)
        } else {
            let (first, _) = line.split_once(' ').unwrap_or((line, ""));
            if first.len() <= limits.line_octets {
                self.method = first.parse().ok();
            }
            if line.len() > limits.line_octets {
                let status = StatusCode::REQUEST_URI_TOO_LONG;
                Err(Problem::new(status, status.reason()))
            } else {
                read_request_line(line)
            }
        };
        match result {
            Ok(start) => self.start = Some(start),
            Err(problem) => self.note(problem),
        }
    }

    /// Checks the fields that every element relies on, so that later layers find them well-formed.
    fn check(&mut self) {
        if let Err(error) = check_fields(&self.headers) {
            return self.note(error.into());
        }
        let Some(Start::Request(method, uri)) = &self.start else {
            return;
        };
        let problem = if uri.has_headers() {
            "Header Fields In Request-URI"
        } else if self.headers.cseq().is_ok_and(|cseq| cseq.method != *method) {
            "CSeq Method Does Not Match"
        } else {
            return;
        };
        self.note(Problem::bad(problem));
    }
}

fn check_fields(headers: &Headers) -> Result<(), HeaderError> {
    headers.vias()?;
    headers.from()?;
    headers.to()?;
    headers.call_id()?;
    headers.cseq()?;
    headers.max_forwards()?;
    headers.content_length()?;
    headers.content_type()?;
    headers.expires()?;
    headers.min_expires()?;
    headers.session_expires()?;
    headers.min_se()?;
    headers.contacts()?;
    headers.routes()?;
    headers.record_routes()?;
    Ok(())
}

/// The line and what follows its line break; a lone CR or LF stays in the line.
fn next_line(text: &str) -> (&str, &str) {
    for newline in memchr::memchr_iter(b'\n', text.as_bytes()) {
        let (line, after) = text.split_at_checked(newline).unwrap_or((text, ""));
        if let Some(line) = line.strip_suffix('\r') {
            return (line, after.strip_prefix('\n').unwrap_or(after));
        }
    }
    (text, "")
}

fn read_request_line(line: &str) -> Result<Start, Problem> {
    let mut words = line.split(' ');
    let (Some(method), Some(uri), Some(version), None) =
        (words.next(), words.next(), words.next(), words.next())
    else {
        return Err(Problem::bad("Malformed Request-Line"));
    };
    check_version(version)?;
    let method = method.parse().map_err(|_| Problem::bad("Malformed Method"))?;
    let uri = uri.parse().map_err(|_| Problem::bad("Malformed Request-URI"))?;
    Ok(Start::Request(method, uri))
}

fn read_status_line(line: &str) -> Result<Start, Problem> {
    let malformed = || Problem::bad("Malformed Status-Line");
    let (version, rest) = line.split_once(' ').ok_or_else(malformed)?;
    check_version(version)?;
    let (code, reason) = rest.split_once(' ').ok_or_else(malformed)?;
    let status = Some(code)
        .filter(|code| code.len() == 3)
        .and_then(lex::number)
        .and_then(StatusCode::new)
        .ok_or_else(malformed)?;
    if reason.contains(['\r', '\n']) {
        return Err(malformed());
    }
    Ok(Start::Response(status, reason.to_owned()))
}

fn check_version(version: &str) -> Result<(), Problem> {
    if version.eq_ignore_ascii_case("SIP/2.0") {
        return Ok(());
    }
    let is_version = version.split_once('/').is_some_and(|(protocol, number)| {
        protocol.eq_ignore_ascii_case("SIP")
            && number.split_once('.').is_some_and(|(major, minor)| is_digits(major) && is_digits(minor))
    });
    if is_version {
        let status = StatusCode::VERSION_NOT_SUPPORTED;
        return Err(Problem::new(status, status.reason()));
    }
    Err(Problem::bad("Malformed SIP-Version"))
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}
