//! Which layer of a simulcast goes to whom.
//!
//! A page shows pictures in tiles of some height, and the way to it carries so much. A tile wants the smallest layer that is
//! about as high as it is shown. What there is goes round in this order: a shared screen gets what it wants; then every tile
//! gets its smallest layer, the large tiles first; then the large tiles first get larger ones.

use crate::Kind;

/// A layer that comes at present.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Layer {
    /// In pixels; 0 where it is not known.
    pub(crate) height: u32,
    /// In bits in a second, as measured.
    pub(crate) bitrate: u64,
}

/// A tile, and what could be shown in it.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    pub(crate) kind: Kind,
    /// How high it is shown, in pixels.
    pub(crate) height: u32,
    /// From small to large; nothing where a layer does not come.
    pub(crate) layers: Vec<Option<Layer>>,
    /// What it gets at present.
    pub(crate) current: Option<usize>,
}

/// What goes to a page.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Choice {
    /// A layer for each tile, or none.
    pub(crate) layers: Vec<Option<usize>>,
    /// Bits in a second of all that is chosen with the next step up; 0 where every tile has what it wants.
    pub(crate) next: u64,
    /// Bits in a second, had every tile what it wants.
    pub(crate) wanted: u64,
}

/// A layer is high enough for a tile from this part of the tile's height on, in hundredths.
const HIGH_ENOUGH: u64 = 80;

/// What a larger layer than the present one has to leave, in hundredths of what it costs: estimates go up and down, and so do
/// pictures.
const MARGIN: u64 = 125;

/// Chooses for a page that can take so many bits in a second.
pub(crate) fn choose(tiles: &[Wanted], budget: u64) -> Choice {
    let ideals: Vec<Option<usize>> = tiles.iter().map(Wanted::ideal).collect();
    let mut order: Vec<usize> = (0..tiles.len()).collect();
    order.sort_by_key(|at| tiles.get(*at).map(|tile| (tile.kind == Kind::Camera, u32::MAX - tile.height)));
    let mut round = Round { tiles, chosen: vec![None; tiles.len()], left: budget, next: 0 };
    let mut is_first = true;
    for at in &order {
        let Some(tile) = tiles.get(*at) else { continue };
        if let Some(least) = tile.least() {
            // Something has to be shown, and without it nobody would learn that the way carries more.
            round.step(*at, least, is_first);
            is_first = false;
        }
        if tile.kind == Kind::Screen {
            round.raise(*at, ideals.get(*at).copied().flatten());
        }
    }
    for at in &order {
        round.raise(*at, ideals.get(*at).copied().flatten());
    }
    let wanted = tiles.iter().zip(&ideals).filter_map(|(tile, ideal)| tile.layer((*ideal)?));
    let next = if round.next == 0 { 0 } else { round.spent() + round.next };
    Choice { wanted: wanted.map(|layer| layer.bitrate).sum(), next, layers: round.chosen }
}

/// A choice that is being made.
struct Round<'a> {
    tiles: &'a [Wanted],
    chosen: Vec<Option<usize>>,
    left: u64,
    /// What the first step that was too much would have cost.
    next: u64,
}

impl Round<'_> {
    /// Raises a tile as far as it wants and there is enough, a layer at a time.
    fn raise(&mut self, at: usize, ideal: Option<usize>) {
        let Some(ideal) = ideal else { return };
        // One that has not got even its smallest layer has to wait.
        let Some(mut chosen) = self.chosen.get(at).copied().flatten() else { return };
        while let Some(next) = self.tiles.get(at).and_then(|tile| tile.above(chosen, ideal)) {
            if !self.step(at, next, false) {
                return;
            }
            chosen = next;
        }
    }

    /// Takes a layer for a tile in place of what it has; false where it would be too much, unless it must be.
    fn step(&mut self, at: usize, to: usize, must: bool) -> bool {
        let (Some(tile), Some(chosen)) = (self.tiles.get(at), self.chosen.get_mut(at)) else { return false };
        let cost =
            |layer: Option<usize>| layer.and_then(|layer| tile.layer(layer)).map_or(0, |layer| layer.bitrate);
        let more = cost(Some(to)).saturating_sub(cost(*chosen));
        let is_new = tile.current.is_none_or(|current| current < to);
        let needed = if is_new { more * MARGIN / 100 } else { more };
        if needed > self.left && !must {
            if self.next == 0 {
                self.next = more;
            }
            return false;
        }
        self.left = self.left.saturating_sub(more);
        *chosen = Some(to);
        true
    }

    fn spent(&self) -> u64 {
        let chosen = self.tiles.iter().zip(&self.chosen).filter_map(|(tile, layer)| tile.layer((*layer)?));
        chosen.map(|layer| layer.bitrate).sum()
    }
}

impl Wanted {
    fn layer(&self, at: usize) -> Option<Layer> {
        self.layers.get(at).copied().flatten()
    }

    fn known(&self) -> impl Iterator<Item = (usize, Layer)> {
        self.layers.iter().enumerate().filter_map(|(at, layer)| layer.map(|layer| (at, layer)))
    }

    fn least(&self) -> Option<usize> {
        self.known().next().map(|(at, _)| at)
    }

    /// The next layer above one, up to the ideal.
    fn above(&self, at: usize, ideal: usize) -> Option<usize> {
        self.known().map(|(at, _)| at).find(|above| *above > at && *above <= ideal)
    }

    /// The smallest layer that is high enough, or the largest there is. One that is only just high enough does not take the
    /// place of a larger one that is there.
    fn ideal(&self) -> Option<usize> {
        let covers = |hundredths: u64| {
            self.known()
                .find(|(_, layer)| u64::from(layer.height) * 100 >= u64::from(self.height) * hundredths)
                .map(|(at, _)| at)
        };
        let largest = self.known().last().map(|(at, _)| at);
        let enough = covers(HIGH_ENOUGH).or(largest);
        let ample = covers(100).or(largest);
        if self.current.is_some() && self.current == ample { ample } else { enough }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn layer(height: u32, kilobits: u64) -> Option<Layer> {
        Some(Layer { height, bitrate: kilobits * 1_000 })
    }

    fn camera(height: u32, current: Option<usize>) -> Wanted {
        let layers = vec![layer(180, 150), layer(360, 500), layer(720, 1_500)];
        Wanted { kind: Kind::Camera, height, layers, current }
    }

    fn screen(height: u32) -> Wanted {
        Wanted { kind: Kind::Screen, height, layers: vec![layer(1_080, 1_000)], current: None }
    }

    fn chosen(tiles: &[Wanted], kilobits: u64) -> Vec<Option<usize>> {
        choose(tiles, kilobits * 1_000).layers
    }

    #[test]
    fn each_tile_gets_the_layer_of_its_size() {
        let tiles = [camera(120, None), camera(300, None), camera(700, None), camera(2_000, None)];
        assert_eq!(chosen(&tiles, 100_000), [Some(0), Some(1), Some(2), Some(2)]);
        let choice = choose(&tiles, 100_000_000);
        assert_eq!((choice.next, choice.wanted), (0, 3_650_000));
    }

    #[test]
    fn where_not_all_can_be_had_the_large_tiles_are_served_first() {
        let tiles = [camera(170, None), camera(700, None), camera(340, None)];
        assert_eq!(chosen(&tiles, 3_000), [Some(0), Some(2), Some(1)]);
        assert_eq!(chosen(&tiles, 2_000), [Some(0), Some(1), Some(1)]);
        assert_eq!(chosen(&tiles, 1_100), [Some(0), Some(1), Some(0)]);
        assert_eq!(chosen(&tiles, 600), [Some(0), Some(0), Some(0)]);
        assert_eq!(chosen(&tiles, 400), [None, Some(0), Some(0)]);
    }

    #[test]
    fn a_screen_comes_before_all_cameras() {
        let tiles = [camera(700, None), screen(700)];
        assert_eq!(chosen(&tiles, 1_150), [None, Some(0)]);
        assert_eq!(chosen(&tiles, 1_500), [Some(0), Some(0)]);
        assert_eq!(chosen(&tiles, 2_300), [Some(1), Some(0)]);
    }

    #[test]
    fn somebody_is_shown_on_the_narrowest_way() {
        assert_eq!(chosen(&[camera(170, None), camera(700, None)], 10), [None, Some(0)]);
        assert_eq!(chosen(&[screen(700)], 10), [Some(0)]);
        let choice = choose(&[camera(170, Some(0)), camera(700, Some(0))], 10_000);
        assert_eq!(choice.next, 150_000 + 150_000);
    }

    #[test]
    fn what_is_gained_is_not_given_up_for_a_little_less() {
        // Raising takes a quarter more than staying.
        assert_eq!(chosen(&[camera(700, Some(1))], 1_600), [Some(1)]);
        assert_eq!(chosen(&[camera(700, Some(1))], 1_800), [Some(2)]);
        assert_eq!(chosen(&[camera(700, Some(2))], 1_600), [Some(2)]);
        assert_eq!(chosen(&[camera(700, Some(2))], 1_400), [Some(1)]);
    }

    #[test]
    fn a_tile_whose_size_changes_a_little_keeps_its_layer() {
        assert_eq!(chosen(&[camera(440, Some(1))], 9_000), [Some(1)]);
        assert_eq!(chosen(&[camera(460, Some(1))], 9_000), [Some(2)]);
        assert_eq!(chosen(&[camera(440, Some(2))], 9_000), [Some(2)]);
        assert_eq!(chosen(&[camera(350, Some(2))], 9_000), [Some(1)]);
    }

    #[test]
    fn layers_that_do_not_come_are_not_waited_for() {
        let mut tile = camera(700, Some(2));
        tile.layers[2] = None;
        assert_eq!(chosen(&[tile.clone()], 9_000), [Some(1)]);
        tile.layers[0] = None;
        assert_eq!(chosen(&[tile.clone()], 10), [Some(1)]);
        tile.layers[1] = None;
        assert_eq!(chosen(&[tile], 9_000), [None]);
        assert_eq!(chosen(&[], 9_000), []);
    }

    fn wanted() -> impl Strategy<Value = Wanted> {
        let layer = proptest::option::of((0u32..3_000, 0u64..10_000_000));
        (any::<bool>(), any::<u32>(), proptest::collection::vec(layer, 0..4), proptest::option::of(0usize..4))
            .prop_map(|(is_screen, height, layers, current)| Wanted {
                kind: if is_screen { Kind::Screen } else { Kind::Camera },
                height,
                layers: layers
                    .into_iter()
                    .map(|layer| layer.map(|(height, bitrate)| Layer { height, bitrate }))
                    .collect(),
                current,
            })
    }

    proptest! {
        #[test]
        fn only_what_comes_is_chosen_and_only_one_tile_may_be_too_much(
            tiles in proptest::collection::vec(wanted(), 0..20), budget in 0u64..40_000_000
        ) {
            let choice = choose(&tiles, budget);
            prop_assert_eq!(choice.layers.len(), tiles.len());
            let mut costs: Vec<u64> = Vec::new();
            for (tile, chosen) in tiles.iter().zip(&choice.layers) {
                if let Some(at) = chosen {
                    costs.push(tile.layers[*at].unwrap().bitrate);
                }
            }
            let spent: u64 = costs.iter().sum();
            prop_assert!(spent <= budget || costs.iter().any(|cost| spent - cost <= budget));
            let shows_something = tiles.iter().any(|tile| tile.layers.iter().any(Option::is_some));
            prop_assert_eq!(choice.layers.iter().any(Option::is_some), shows_something);
            // What has been chosen is chosen again, as long as nothing else changes.
            let mut again = tiles.clone();
            for (tile, chosen) in again.iter_mut().zip(&choice.layers) {
                tile.current = *chosen;
            }
            let settled = choose(&again, budget).layers;
            for (tile, chosen) in again.iter_mut().zip(&settled) {
                tile.current = *chosen;
            }
            prop_assert_eq!(choose(&again, budget).layers, settled);
        }
    }
}
