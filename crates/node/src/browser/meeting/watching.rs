use std::time::Duration;

use meeting_wire::Tile;
use model::ParticipantId;
use tokio::time::Instant;

use crate::conference::{ConferenceTaskInput, PicturesRequest};
use crate::inputs::{Inputs, Refused};

/// After this a conference that had no place for what a page watches is told again. Arbitrary; short for an eye.
const AGAIN: Duration = Duration::from_millis(200);

/// What a page shows of others, and whether its conference knows.
#[derive(Debug, Default)]
pub(super) struct Watching {
    tiles: Vec<Tile>,
    owed: Option<Instant>,
}

impl Watching {
    /// Notes what the page shows, whether or not it may see it now.
    pub(super) fn note(&mut self, tiles: Vec<Tile>) {
        self.tiles = tiles;
    }

    /// Tells the conference, or owes it that where too much waits there.
    pub(super) fn tell(
        &mut self,
        conference: Option<&Inputs<ConferenceTaskInput>>,
        participant: ParticipantId,
        may_see: bool,
        now: Instant,
    ) {
        let tiles = if may_see { self.tiles.clone() } else { Vec::new() };
        let request = PicturesRequest::Watch(tiles);
        let input = ConferenceTaskInput::Pictures { participant, request };
        let told = conference.map(|conference| conference.ask(input));
        self.owed = (told == Some(Err(Refused::Full))).then(|| now + AGAIN);
    }

    /// When the conference is to be told again: otherwise what the page shows would stay dark for good.
    pub(super) const fn owed(&self) -> Option<Instant> {
        self.owed
    }
}

#[cfg(test)]
mod tests {
    use meeting_wire::Kind;

    use super::*;
    use crate::ids::RandomIds;
    use crate::inputs::{InputQueue, inputs};

    fn tile() -> Tile {
        let participant = ParticipantId::next(&mut RandomIds).to_string();
        Tile { line: "2".to_owned(), participant, kind: Kind::Camera, height: 180 }
    }

    async fn told(queue: &mut InputQueue<ConferenceTaskInput>) -> Vec<Tile> {
        match queue.next().await {
            Some(ConferenceTaskInput::Pictures { request: PicturesRequest::Watch(tiles), .. }) => tiles,
            other => panic!("{other:?} is nothing to watch"),
        }
    }

    #[tokio::test]
    async fn a_busy_conference_is_told_again_and_of_the_latest() {
        let (inputs, mut queue) = inputs();
        let (who, now) = (ParticipantId::next(&mut RandomIds), Instant::now());
        let mut waiting = 0;
        while inputs.ask(ConferenceTaskInput::Close).is_ok() {
            waiting += 1;
        }
        let mut watching = Watching::default();
        watching.note(vec![tile(), tile()]);
        watching.tell(Some(&inputs), who, true, now);
        assert_eq!(watching.owed(), Some(now + AGAIN));
        let latest = vec![tile()];
        watching.note(latest.clone());
        watching.tell(Some(&inputs), who, true, now);
        assert!(watching.owed().is_some(), "it is as busy as before");

        for _ in 0..waiting {
            assert!(matches!(queue.next().await, Some(ConferenceTaskInput::Close)));
        }
        watching.tell(Some(&inputs), who, true, now);
        assert_eq!(watching.owed(), None);
        assert_eq!(told(&mut queue).await, latest);
        watching.tell(Some(&inputs), who, false, now);
        assert_eq!(told(&mut queue).await, [], "whoever may not see is sent nothing");
    }

    #[test]
    fn nothing_is_owed_to_a_conference_that_is_over_or_not_there_yet() {
        let (inputs, queue) = inputs();
        let (who, now) = (ParticipantId::next(&mut RandomIds), Instant::now());
        let mut watching = Watching::default();
        watching.note(vec![tile()]);
        watching.tell(None, who, true, now);
        assert_eq!(watching.owed(), None);
        drop(queue);
        watching.tell(Some(&inputs), who, true, now);
        assert_eq!(watching.owed(), None);
    }
}
