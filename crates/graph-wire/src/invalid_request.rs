use std::fmt;

/// What is wrong with a request body or a query option, and where.
///
/// `Display` is fit for the caller: it names the place and what was expected there, and repeats nothing of the value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidRequest {
    /// The body is not JSON.
    #[error("malformed JSON at line {line}, column {column}: {problem}")]
    Malformed {
        /// Counts from 1, in the body as it was sent.
        line: usize,
        /// Counts bytes from 1.
        column: usize,
        /// What the parser found there.
        problem: String,
    },
    /// A member is missing, of the wrong type, or out of its limits.
    #[error("{path}: expected {expected}")]
    Member {
        /// Where it is: `targets[0].identity.user.id`, or `$` for the whole body.
        path: String,
        /// What should have been there.
        expected: String,
    },
    /// A query option cannot be read.
    #[error("query option {option}: expected {expected}")]
    QueryOption {
        /// The option, with its dollar sign.
        option: &'static str,
        /// What should have been there.
        expected: &'static str,
    },
}

/// Where in a body the reader is; lives on the stack and is written out only for an error.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Path<'a> {
    Root,
    Member(&'a Path<'a>, &'a str),
    Item(&'a Path<'a>, usize),
}

impl Path<'_> {
    pub(crate) fn expected(&self, expected: impl Into<String>) -> InvalidRequest {
        InvalidRequest::Member { path: self.to_string(), expected: expected.into() }
    }
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Root => f.write_str("$"),
            Self::Member(Path::Root, name) => f.write_str(name),
            Self::Member(whole, name) => write!(f, "{whole}.{name}"),
            Self::Item(whole, index) => write!(f, "{whole}[{index}]"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Path;

    #[test]
    fn a_path_reads_as_one_would_write_it_in_code() {
        let targets = Path::Member(&Path::Root, "targets");
        let first = Path::Item(&targets, 0);
        let error = Path::Member(&first, "identity").expected("an object");
        assert_eq!(error.to_string(), "targets[0].identity: expected an object");
        assert_eq!(Path::Root.expected("an object").to_string(), "$: expected an object");
    }
}
