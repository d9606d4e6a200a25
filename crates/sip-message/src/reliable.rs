//! The header fields of reliable provisional responses (RFC 3262, 7).

use std::fmt;
use std::str::FromStr;

use crate::{CSeq, HeaderError, Headers, lex};

/// A RAck value: the provisional response that a PRACK acknowledges (RFC 3262, 7.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RAck {
    /// The RSeq of the response.
    pub rseq: u32,
    /// The CSeq of the response.
    pub cseq: CSeq,
}

impl FromStr for RAck {
    type Err = HeaderError;

    fn from_str(text: &str) -> Result<Self, HeaderError> {
        let malformed = HeaderError::Malformed("RAck");
        let (rseq, cseq) = text.split_once([' ', '\t']).ok_or(malformed)?;
        let rseq = lex::number(rseq).ok_or(malformed)?;
        let cseq = lex::trim(cseq).parse().map_err(|_| malformed)?;
        Ok(Self { rseq, cseq })
    }
}

impl fmt::Display for RAck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.rseq, self.cseq)
    }
}

impl Headers {
    /// RSeq (RFC 3262, 7.1).
    ///
    /// # Errors
    /// When it is repeated or not a number below 2^32.
    pub fn rseq(&self) -> Result<Option<u32>, HeaderError> {
        self.number("RSeq")
    }

    /// RAck (RFC 3262, 7.2).
    ///
    /// # Errors
    /// When it is missing, repeated or malformed.
    pub fn rack(&self) -> Result<RAck, HeaderError> {
        self.single("RAck")?.ok_or(HeaderError::Missing("RAck"))?.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Method;

    #[test]
    fn an_acknowledgement_names_the_response_and_its_request() {
        let rack: RAck = "776656  1 INVITE".parse().unwrap();

        assert_eq!(rack, RAck { rseq: 776_656, cseq: CSeq::new(1, Method::Invite) });
        assert_eq!(rack.to_string(), "776656 1 INVITE");
        for text in ["", "1", "1 INVITE", "x 1 INVITE", "1 1", "4294967296 1 INVITE", "1 1 A B"] {
            assert_eq!(text.parse::<RAck>(), Err(HeaderError::Malformed("RAck")), "{text}");
        }
        let mut headers = Headers::new();
        assert_eq!((headers.rseq(), headers.rack()), (Ok(None), Err(HeaderError::Missing("RAck"))));
        headers.push("rseq", "17");
        headers.push("rack", &rack);
        assert_eq!((headers.rseq(), headers.rack()), (Ok(Some(17)), Ok(rack)));
    }
}
