use graph_wire::GraphError;
use percent_encoding::percent_decode_str;
use store::StoreError;

use crate::error::ApiError;

/// Items of one answer where the page says nothing, and at most.
const DEFAULT_LIMIT: usize = 50;
const MAX_LIMIT: usize = 200;

/// Octets of what a list goes on from: the longest ids are those of meetings.
const MAX_AFTER: usize = 512;

/// Which part of a list is asked for.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Page {
    pub(super) after: Option<String>,
    pub(super) limit: usize,
}

impl Page {
    /// # Errors
    ///
    /// 400 where an option cannot be read.
    pub(super) fn of(query: Option<&str>) -> Result<Self, ApiError> {
        let mut page = Self { after: None, limit: DEFAULT_LIMIT };
        if let Some(limit) = option(query, "limit") {
            let limit: usize = limit
                .parse()
                .map_err(|_| GraphError::invalid_argument("The option 'limit' takes a whole number."))?;
            page.limit = limit.clamp(1, MAX_LIMIT);
        }
        page.after = option(query, "after");
        Ok(page)
    }

    /// What a store answers that does not know what a list is to go on from.
    pub(super) fn refused(error: StoreError) -> ApiError {
        if matches!(error, StoreError::Invalid(_)) { Self::unknown() } else { error.into() }
    }

    /// What an `after` that is not known any more is answered with.
    pub(super) fn unknown() -> ApiError {
        GraphError::invalid_argument("The option 'after' names what is not there any more.").into()
    }
}

/// An option of a query, decoded; one that is too long is none.
pub(super) fn option(query: Option<&str>, name: &str) -> Option<String> {
    let mut pairs = query?.split('&').filter_map(|pair| pair.split_once('='));
    let (_, value) = pairs.find(|(known, _)| *known == name)?;
    let decoded = percent_decode_str(value).decode_utf8().ok()?;
    (!decoded.is_empty() && decoded.len() <= MAX_AFTER).then(|| decoded.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_bounded_whatever_is_asked_for() {
        let of = |query| Page::of(Some(query)).ok();
        let page = |after: Option<&str>, limit| Some(Page { after: after.map(str::to_owned), limit });
        assert_eq!(of(""), page(None, 50));
        assert_eq!(of("limit=7&after=19%3Ameeting%40thread"), page(Some("19:meeting@thread"), 7));
        assert_eq!(of("limit=0"), page(None, 1));
        assert_eq!(of("limit=1000000"), page(None, 200));
        assert_eq!(Page::of(Some(&format!("after={}", "a".repeat(600)))).ok(), page(None, 50));
        for bad in ["limit=many", "limit=-1", "limit=99999999999999999999999"] {
            assert_eq!(of(bad), None, "{bad}");
        }
        assert_eq!(Page::of(None).ok(), page(None, 50));
    }
}
