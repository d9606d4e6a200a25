//! The pages of a conference, and the room of their pictures.

use std::collections::BTreeMap;

use call_engine::PersonEvent;
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
        let page = Page { side, id: PageId(self.last), shown: Shown::default() };
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

    pub(super) fn tell(&self, participant: ParticipantId, event: PersonEvent) {
        if let Some(page) = self.all.get(&participant) {
            page.side.tell(event);
        }
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
                    room.watch(page.id, tiles.into_iter().filter_map(|tile| self.tile(tile)).collect());
                }
            }
            PicturesRequest::Offer(offer) => {
                let (id, side) = (page.id, page.side.clone());
                let Some(gateway) = gateway else {
                    return side.pictured(Err("this server does not serve WebRTC (webrtc.udp)".to_owned()));
                };
                let room = self.room(gateway, own);
                tokio::spawn(async move {
                    let answer = room.offer(id, offer).await;
                    side.pictured(answer.map_err(|refused| refused.to_string()));
                });
            }
        }
    }

    /// The room, which is opened for whoever comes first.
    fn room(&mut self, gateway: &Gateway, own: &Inputs<ConferenceTaskInput>) -> RoomHandle {
        if let Some(room) = &self.room {
            return room.clone();
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

    fn tile(&self, Tile { line, participant, kind, height }: Tile) -> Option<pictures::Tile> {
        let page = self.all.get(&ParticipantId::parse(&participant)?)?.id;
        let kind = match kind {
            meeting_wire::Kind::Camera => Kind::Camera,
            meeting_wire::Kind::Screen => Kind::Screen,
        };
        Some(pictures::Tile { line, page, kind, height })
    }
}
