use std::collections::BTreeMap;

/// A bounded map that forgets what was not asked for in a while.
///
/// Two generations: entries are written to the young one, and asked-for ones move back to it. When the young one holds
/// half of the capacity it becomes the old one, and the former old one is dropped. All in constant time a call.
#[derive(Debug)]
pub(crate) struct Cache<K, V> {
    young: BTreeMap<K, V>,
    old: BTreeMap<K, V>,
    half: usize,
}

impl<K: Ord, V: Clone> Cache<K, V> {
    pub(crate) fn new(capacity: usize) -> Self {
        Self { young: BTreeMap::new(), old: BTreeMap::new(), half: (capacity / 2).max(1) }
    }

    pub(crate) fn find(&mut self, key: &K) -> Option<V> {
        if let Some(value) = self.young.get(key) {
            return Some(value.clone());
        }
        let (key, value) = self.old.remove_entry(key)?;
        self.put(key, value.clone());
        Some(value)
    }

    pub(crate) fn put(&mut self, key: K, value: V) {
        if self.young.len() >= self.half {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(key, value);
    }
}

#[cfg(test)]
mod tests {
    use super::Cache;

    #[test]
    fn what_is_asked_for_stays_and_the_rest_is_forgotten() {
        let mut cache = Cache::new(4);
        cache.put(0, "kept");
        for key in 1..100 {
            cache.put(key, "passing");
            assert_eq!(cache.find(&0), Some("kept"));
        }
        assert_eq!(cache.find(&1), None);
        assert!(cache.young.len() + cache.old.len() <= 4);
    }
}
