//! The pages of a conference, and the room of their pictures.

use std::collections::BTreeMap;

use call_engine::{PersonEvent, PersonState};
use meeting_wire::Tile;
use model::ParticipantId;
use pictures::{Kind, PageId, RoomHandle};
use webrtc::Gateway;

use super::ConferenceTaskInput;
use crate::browser::PageSide;
use crate::inputs::Inputs;

/// What a page wants of pictures.
pub(crate) enum PicturesRequest {
    /// Answer this offer.
    Offer(String),
    /// Send these, and no others.
    Watch(Vec<Tile>),
}

/// Those who have pages. Who was here and is not any more has no pictures either.
#[derive(Default)]
pub(super) struct Pages {
    all: BTreeMap<ParticipantId, Page>,
    /// Counts them, so that none has the id of one before.
    last: u64,
    /// From the first offer of pictures on.
    room: Option<RoomHandle>,
}

struct Page {
    side: PageSide,
    id: PageId,
    /// What others may see of it.
    shown: Shown,
    /// Whether it may see others: nobody does in the lobby, or taken aside.
    is_in: bool,
}

#[derive(Clone, Copy, Default)]
struct Shown {
    camera: bool,
    screen: bool,
}

impl Shown {
    fn put(self, room: &RoomHandle, page: PageId) {
        room.allow(page, Kind::Camera, self.camera);
        room.allow(page, Kind::Screen, self.screen);
    }
}

impl Pages {
    pub(super) fn add(&mut self, participant: ParticipantId, side: PageSide) {
        self.last += 1;
        let page = Page { side, id: PageId(self.last), shown: Shown::default(), is_in: false };
        self.all.insert(participant, page);
    }

    pub(super) fn remove(&mut self, participant: ParticipantId) {
        if let Some(page) = self.all.remove(&participant)
            && let Some(room) = &self.room
        {
            room.leave(page.id);
        }
    }

    /// Somebody goes to another conversation with its leg.
    pub(super) fn release(&mut self, participant: ParticipantId) {
        if let Some(page) = self.all.get(&participant) {
            page.side.released();
        }
        self.remove(participant);
    }

    /// Passes on what the engine says; whoever is not in any more sees nobody from here on, whatever its page asks for. One that
    /// is in again asks anew.
    pub(super) fn tell(&mut self, participant: ParticipantId, event: PersonEvent) {
        let Some(page) = self.all.get_mut(&participant) else { return };
        if let PersonEvent::State(state) = event {
            page.is_in = state == PersonState::In;
            if let Some(room) = self.room.as_ref().filter(|_| !page.is_in) {
                room.watch(page.id, Vec::new());
            }
        }
        page.side.tell(event);
    }

    /// Says what others may see of somebody.
    pub(super) fn show(&mut self, participant: ParticipantId, camera: bool, screen: bool) {
        let Some(page) = self.all.get_mut(&participant) else { return };
        page.shown = Shown { camera, screen };
        if let Some(room) = &self.room {
            page.shown.put(room, page.id);
        }
    }

    /// Whose pictures these are.
    pub(super) fn owner(&self, page: PageId) -> Option<ParticipantId> {
        self.all.iter().find(|(_, known)| known.id == page).map(|(participant, _)| *participant)
    }

    /// Does what somebody wants who is in; the room's events go to the conference.
    pub(super) fn take(
        &mut self,
        participant: ParticipantId,
        request: PicturesRequest,
        gateway: Option<&Gateway>,
        own: &Inputs<ConferenceTaskInput>,
    ) {
        let Some(page) = self.all.get(&participant) else { return };
        match request {
            PicturesRequest::Watch(tiles) => {
                if let Some(room) = &self.room {
                    room.watch(page.id, self.watched(page, tiles));
                }
            }
            PicturesRequest::Offer(offer) => {
                let (id, side) = (page.id, page.side.clone());
                let Some(gateway) = gateway else {
                    return side.pictured(Err("this server does not serve WebRTC (webrtc.udp)".to_owned()));
                };
                // Put down here and now, for the page may leave, or offer again; only the answer is waited for.
                let answer = self.room(gateway, own).offer(id, offer);
                tokio::spawn(async move {
                    side.pictured(answer.await.map_err(|refused| refused.to_string()));
                });
            }
        }
    }

    /// The room, which is opened for whoever comes first, and again should its task be over.
    fn room(&mut self, gateway: &Gateway, own: &Inputs<ConferenceTaskInput>) -> RoomHandle {
        match &self.room {
            Some(room) if room.is_closed() => {
                tracing::error!("a meeting's room of pictures has ended by itself; another one is opened");
            }
            Some(room) => return room.clone(),
            None => {}
        }
        let (room, mut events) = RoomHandle::open(gateway);
        let own = own.downgrade();
        tokio::spawn(async move {
            // Ends with the room, which goes with the conference.
            while let Some(event) = events.recv().await {
                if let Some(own) = own.upgrade() {
                    let _ = own.end(ConferenceTaskInput::Pictured(event));
                }
            }
        });
        for page in self.all.values() {
            page.shown.put(&room, page.id);
        }
        self.room.insert(room).clone()
    }

    /// What a page is to see of what it asks for.
    fn watched(&self, page: &Page, tiles: Vec<Tile>) -> Vec<pictures::Tile> {
        let tiles = if page.is_in { tiles } else { Vec::new() };
        tiles.into_iter().filter_map(|tile| self.tile(tile)).collect()
    }

    fn tile(&self, Tile { line, participant, kind, height }: Tile) -> Option<pictures::Tile> {
        let page = self.all.get(&ParticipantId::parse(&participant)?)?.id;
        let kind = match kind {
            meeting_wire::Kind::Camera => Kind::Camera,
            meeting_wire::Kind::Screen => Kind::Screen,
        };
        Some(pictures::Tile { line, page, kind, height })
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr, SocketAddr};

    use webrtc::Limits;

    use super::*;
    use crate::ids::RandomIds;
    use crate::inputs::inputs;

    const V4: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    fn participant() -> ParticipantId {
        ParticipantId::next(&mut RandomIds)
    }

    fn camera_of(participant: ParticipantId) -> Vec<Tile> {
        let participant = participant.to_string();
        vec![Tile { line: "2".to_owned(), participant, kind: meeting_wire::Kind::Camera, height: 180 }]
    }

    #[test]
    fn only_whoever_is_in_sees_others_whatever_its_page_asks_for() {
        let (ann, ben) = (participant(), participant());
        let mut pages = Pages::default();
        for who in [ann, ben] {
            pages.add(who, PageSide::of_nobody(who));
        }
        let seen = |pages: &Pages| pages.watched(&pages.all[&ann], camera_of(ben)).len();
        assert_eq!(seen(&pages), 0, "it has not been let in");
        for (state, count) in
            [(PersonState::InLobby, 0), (PersonState::In, 1), (PersonState::OnHold, 0), (PersonState::In, 1)]
        {
            pages.tell(ann, PersonEvent::State(state));
            assert_eq!(seen(&pages), count, "{state:?}");
        }
        pages.tell(ann, PersonEvent::Speaker(None));
        assert_eq!(seen(&pages), 1, "other news change nothing");
    }

    #[tokio::test]
    async fn another_room_is_opened_in_the_place_of_one_that_has_ended() {
        let gateway = Gateway::bind(SocketAddr::new(V4, 0), V4, Limits::default()).await.unwrap();
        let other = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let (inputs, _queue) = inputs();
        let ann = participant();
        let mut pages = Pages::default();
        pages.add(ann, PageSide::of_nobody(ann));
        {
            let _entered = other.enter();
            pages.room(&gateway, &inputs);
        }
        let is_closed = |pages: &Pages| pages.room.as_ref().map(RoomHandle::is_closed);
        assert_eq!(is_closed(&pages), Some(false));
        other.shutdown_background();
        assert_eq!(is_closed(&pages), Some(true));
        pages.show(ann, true, false);

        let room = pages.room(&gateway, &inputs);
        assert_eq!(is_closed(&pages), Some(false));
        let page = pages.all[&ann].id;
        assert!(room.stats(page).await.is_some(), "it is told what was shown before");
        let kept = pages.room(&gateway, &inputs);
        pages.remove(ann);
        assert!(kept.stats(page).await.is_none(), "one that lives is kept");
    }
}
