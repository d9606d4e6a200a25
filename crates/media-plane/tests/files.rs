//! Closed legs leave nothing behind. Alone in its file, since it counts the open files of the process.

mod support;

use media_plane::{Config, PlaneError};
use rtc_proto::Codec;
use support::{Rig, config, open_files, terms};

#[test]
fn two_hundred_legs_leave_no_file_open_and_their_ports_rest() {
    // Enough pairs for both rounds, while those of the first still rest.
    let base = config();
    let mut rig = Rig::with(Config { last_port: base.first_port + 1_999, ..base });
    let before = open_files();
    for _ in 0..2 {
        let legs: Vec<_> = (0..200).map(|_| rig.plane.open_leg().unwrap()).collect();
        for pair in legs.chunks_exact(2) {
            rig.plane.configure(pair[0].leg, &terms(Codec::Pcmu, pair[1], None)).unwrap();
        }
        let first = legs[0].rtp;
        for leg in &legs {
            rig.plane.close(leg.leg).unwrap();
            assert!(matches!(rig.plane.close(leg.leg), Err(PlaneError::NoLeg)));
        }
        for leg in &legs {
            rig.closed_or_seen(leg.leg);
        }
        assert_eq!(rig.plane.stats().legs, 0);
        assert_eq!(open_files(), before);
        let next = rig.plane.open_leg().unwrap();
        assert_ne!(next.rtp, first);
        rig.close(next.leg);
    }
}
