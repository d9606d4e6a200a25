use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use bytes::Bytes;
use media_engine::{PromptAudio, SampleRate, WavLimits};
use model::{AppId, MediaInfo, MediaPrompt, Outcome};
use store::BoxFuture;
use tokio::sync::{OnceCell, OwnedSemaphorePermit, Semaphore};
use tokio::task::AbortHandle;

/// Fetches what a prompt's URI names, under the rules for addresses that others chose.
pub trait PromptSource: Send + Sync {
    /// The file, on behalf of an application, or of this server itself.
    ///
    /// # Errors
    ///
    /// What became of it, in words for the log; the operation is told [`Outcome::PromptDownloadFailed`].
    fn fetch<'a>(&'a self, app: Option<&'a AppId>, uri: &'a str) -> BoxFuture<'a, Result<Bytes, String>>;
}

/// How long the prompts of one operation may be in all: as long as one alone, 58 MB at the rate of Opus.
const MAX_DURATION: Duration = WavLimits::PROMPT.max_duration;

/// Prompts that are kept, however small, so that looking through them stays quick; arbitrary.
const MAX_CACHED: usize = 1_024;

/// Files that one application fetches at once: enough for a busy one, and no more than a fraction of what all may.
const MAX_FETCHES_OF_APP: usize = 16;

/// Files that are fetched at once, each up to the largest size of a prompt.
const MAX_FETCHES: usize = 256;

/// Prompts that are read or converted at once. Each takes a processor, and for ten minutes at 48 kHz 170 MB.
const MAX_CONVERSIONS: usize = 4;

/// Prompts, fetched once for each `resourceId` of an application and kept ready to play.
#[derive(Clone)]
pub(crate) struct Prompts {
    source: Arc<dyn PromptSource>,
    cache: Arc<Mutex<Cache>>,
    turns: Arc<Turns>,
}

/// A fetch ahead of time; dropping this ends it.
#[derive(Debug)]
#[must_use = "the fetch ends when this is dropped"]
pub(crate) struct Prefetch(AbortHandle);

impl Drop for Prefetch {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Prompts {
    /// Keeps prompts that take up to `cache_bytes` of memory in all.
    pub(crate) fn new(source: Arc<dyn PromptSource>, cache_bytes: usize) -> Self {
        let cache = Cache { slots: BTreeMap::new(), uses: 0, limit: cache_bytes };
        Self { source, cache: Arc::new(Mutex::new(cache)), turns: Arc::new(Turns::new()) }
    }

    /// Fetches what `preFetchMedia` names; what fails here is tried again when it is played.
    pub(crate) fn prefetch(&self, app: &AppId, media: Vec<MediaInfo>) -> Prefetch {
        let (prompts, app) = (self.clone(), app.clone());
        let fetch = tokio::spawn(async move {
            for info in media.into_iter().filter(|info| info.resource_id.is_some()) {
                let _ = prompts.load(&app, &info).await;
            }
        });
        Prefetch(fetch.abort_handle())
    }

    /// The prompts of one operation, converted to the rate of the leg that will hear them, and a beep at their end if
    /// one is wanted.
    ///
    /// # Errors
    ///
    /// As of the first prompt that fails, or [`Outcome::PromptInvalid`] where they are too long in all.
    pub(crate) async fn load_all(
        &self,
        app: &AppId,
        prompts: &[MediaPrompt],
        rate: SampleRate,
        beeps: bool,
    ) -> Result<Vec<Arc<PromptAudio>>, Outcome> {
        let mut loaded = Vec::with_capacity(prompts.len() + 1);
        let mut duration = Duration::ZERO;
        for prompt in prompts {
            let prompt = self.load(app, &prompt.media).await?;
            duration += prompt.duration();
            if duration > MAX_DURATION {
                tracing::warn!(limit = ?MAX_DURATION, "the prompts of an operation are too long");
                return Err(Outcome::PromptInvalid);
            }
            loaded.push(prompt);
        }
        let convert = move || {
            loaded.extend(beeps.then(|| Arc::new(PromptAudio::beep())));
            loaded.iter().for_each(|prompt| drop(prompt.at_rate(rate)));
            loaded
        };
        let loaded = self.work(convert).await?;
        // A prompt grows with each rate that it is heard at.
        self.cache().settle();
        Ok(loaded)
    }

    /// A prompt as it was fetched.
    ///
    /// # Errors
    ///
    /// [`Outcome::PromptDownloadFailed`] or [`Outcome::PromptInvalid`]. Failures are not remembered.
    async fn load(&self, app: &AppId, info: &MediaInfo) -> Result<Arc<PromptAudio>, Outcome> {
        let Some(resource) = &info.resource_id else { return self.fetch(app, info).await };
        let slot = self.cache().slot((app.clone(), resource.clone()));
        let loaded = slot.get_or_try_init(|| self.fetch(app, info)).await.cloned();
        drop(slot);
        self.cache().settle();
        loaded
    }

    /// A file by its address, as it is.
    pub(crate) async fn fetch_file(&self, uri: &str) -> Result<Bytes, String> {
        let _turn = self.turns.all.acquire().await.map_err(|closed| closed.to_string())?;
        self.source.fetch(None, uri).await
    }

    async fn fetch(&self, app: &AppId, info: &MediaInfo) -> Result<Arc<PromptAudio>, Outcome> {
        let _turn = self.turns.take(app).await.ok_or(Outcome::InternalError)?;
        let file = self.source.fetch(Some(app), &info.uri).await.map_err(|error| {
            tracing::warn!(error, "failed to fetch a prompt");
            Outcome::PromptDownloadFailed
        })?;
        let read = self.work(move || PromptAudio::from_wav(&file, &WavLimits::PROMPT)).await?;
        let prompt = read.map_err(|error| {
            tracing::warn!(%error, "failed to read a prompt");
            Outcome::PromptInvalid
        })?;
        Ok(Arc::new(prompt))
    }

    /// Reads or converts, which takes milliseconds for each second of sound: too long for the runtime's threads.
    async fn work<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Outcome> {
        let turn = Arc::clone(&self.turns.conversions).acquire_owned().await;
        let turn = turn.map_err(|_closed| Outcome::InternalError)?;
        // The turn goes with the work, which goes on where nobody waits for it any more.
        let done = tokio::task::spawn_blocking(move || {
            let done = work();
            drop(turn);
            done
        });
        done.await.map_err(|_panicked| Outcome::InternalError)
    }

    fn cache(&self) -> MutexGuard<'_, Cache> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One prompt, being fetched or ready. Whoever comes second waits for the first.
type Slot = Arc<OnceCell<Arc<PromptAudio>>>;

/// The application is part of the key: no bot plays another's sound by guessing its `resourceId`.
type Key = (AppId, String);

struct Cache {
    /// Each with the time of its latest use, which is unique.
    slots: BTreeMap<Key, (u64, Slot)>,
    uses: u64,
    /// In bytes.
    limit: usize,
}

impl Cache {
    fn slot(&mut self, key: Key) -> Slot {
        if self.slots.len() >= MAX_CACHED && !self.slots.contains_key(&key) {
            self.settle();
            let oldest = self.slots.iter().min_by_key(|(_, (used, _))| *used).map(|(key, _)| key.clone());
            oldest.filter(|_| self.slots.len() >= MAX_CACHED).map(|key| self.slots.remove(&key));
        }
        self.uses += 1;
        let (used, slot) = self.slots.entry(key).or_default();
        *used = self.uses;
        Arc::clone(slot)
    }

    /// Forgets what failed, and of what is ready that which was not used for longest, until the rest is within the
    /// limit.
    fn settle(&mut self) {
        self.slots.retain(|_, (_, slot)| slot.initialized() || Arc::strong_count(slot) > 1);
        let ready = self.slots.values().filter_map(|(used, slot)| Some((*used, slot.get()?.bytes())));
        let mut ready: Vec<(u64, usize)> = ready.collect();
        ready.sort_unstable_by(|a, b| b.cmp(a));
        let mut room = self.limit;
        let mut dropped = BTreeSet::new();
        for (used, bytes) in ready {
            match room.checked_sub(bytes) {
                Some(left) => room = left,
                None => drop(dropped.insert(used)),
            }
        }
        self.slots.retain(|_, (used, _)| !dropped.contains(used));
    }
}

/// Who may fetch and convert at the moment.
struct Turns {
    all: Arc<Semaphore>,
    /// Of applications that fetch or wait for it.
    apps: Mutex<BTreeMap<AppId, Weak<Semaphore>>>,
    conversions: Arc<Semaphore>,
}

/// Leave to fetch one file.
struct Turn {
    _app: OwnedSemaphorePermit,
    _all: OwnedSemaphorePermit,
}

impl Turns {
    fn new() -> Self {
        let semaphore = |permits| Arc::new(Semaphore::new(permits));
        let (all, conversions) = (semaphore(MAX_FETCHES), semaphore(MAX_CONVERSIONS));
        Self { all, apps: Mutex::default(), conversions }
    }

    /// Waits for the application's turn first, so that one with many files does not stand in the way of others.
    async fn take(&self, app: &AppId) -> Option<Turn> {
        let of_app = self.of_app(app).acquire_owned().await.ok()?;
        let of_all = Arc::clone(&self.all).acquire_owned().await.ok()?;
        Some(Turn { _app: of_app, _all: of_all })
    }

    fn of_app(&self, app: &AppId) -> Arc<Semaphore> {
        let mut apps = self.apps.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = apps.get(app).and_then(Weak::upgrade) {
            return known;
        }
        apps.retain(|_, turns| turns.strong_count() > 0);
        let turns = Arc::new(Semaphore::new(MAX_FETCHES_OF_APP));
        apps.insert(app.clone(), Arc::downgrade(&turns));
        turns
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use media_engine::wav_file;

    use super::*;

    /// What is fetched, in turn, and how often that was; without an answer a fetch never ends.
    #[derive(Default)]
    struct Files {
        answers: Mutex<VecDeque<Result<Bytes, String>>>,
        fetches: AtomicUsize,
        under_way: Arc<AtomicUsize>,
    }

    struct UnderWay(Arc<AtomicUsize>);

    impl Drop for UnderWay {
        fn drop(&mut self) {
            self.0.fetch_sub(1, Ordering::Relaxed);
        }
    }

    impl PromptSource for Files {
        fn fetch<'a>(&'a self, _app: Option<&'a AppId>, _uri: &'a str) -> BoxFuture<'a, Result<Bytes, String>> {
            self.fetches.fetch_add(1, Ordering::Relaxed);
            self.under_way.fetch_add(1, Ordering::Relaxed);
            let under_way = UnderWay(Arc::clone(&self.under_way));
            let answer = self.answers.lock().unwrap().pop_front();
            Box::pin(async move {
                let _under_way = under_way;
                match answer {
                    Some(answer) => answer,
                    None => std::future::pending().await,
                }
            })
        }
    }

    impl Files {
        fn with(answers: impl IntoIterator<Item = Result<Bytes, String>>) -> Arc<Self> {
            Arc::new(Self { answers: Mutex::new(answers.into_iter().collect()), ..Self::default() })
        }

        fn fetches(&self) -> usize {
            self.fetches.load(Ordering::Relaxed)
        }

        fn under_way(&self) -> usize {
            self.under_way.load(Ordering::Relaxed)
        }
    }

    fn file(rate_hz: u32, seconds: u32) -> Result<Bytes, String> {
        Ok(wav_file(rate_hz, &vec![0; (rate_hz * seconds) as usize]).into())
    }

    fn info(name: &str) -> MediaInfo {
        MediaInfo { uri: format!("https://cdn.contoso.com/{name}"), resource_id: Some(name.to_owned()) }
    }

    fn prompt(name: &str) -> MediaPrompt {
        MediaPrompt { media: info(name) }
    }

    fn app(name: &str) -> AppId {
        AppId::from(name)
    }

    /// Lets every task run as far as it can.
    async fn settled() {
        for _ in 0..200 {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn what_is_kept_is_bounded_by_what_it_takes_in_memory() {
        let files = Files::with((0..6).map(|_| file(16_000, 1)));
        let prompts = Prompts::new(files.clone(), 150_000);
        let app = app("app");
        for name in ["a", "b", "c", "a"] {
            prompts.load_all(&app, &[prompt(name)], SampleRate::Hz16000, false).await.unwrap();
        }
        assert_eq!(files.fetches(), 3);

        // 32,000 bytes each, and 96,000 more for what is heard at 48 kHz.
        prompts.load_all(&app, &[prompt("a")], SampleRate::Hz48000, false).await.unwrap();
        assert_eq!(prompts.cache().slots.len(), 1);
        prompts.load_all(&app, &[prompt("b")], SampleRate::Hz48000, false).await.unwrap();

        assert_eq!(files.fetches(), 4);
        let kept: usize = prompts.cache().slots.values().map(|(_, slot)| slot.get().unwrap().bytes()).sum();
        assert!(kept <= 150_000, "{kept}");
    }

    #[tokio::test]
    async fn what_is_larger_than_the_cache_is_played_and_pushes_nothing_out() {
        let files = Files::with([file(16_000, 1), file(16_000, 9)]);
        let prompts = Prompts::new(files.clone(), 100_000);
        let app = app("app");
        for name in ["small", "large", "small"] {
            prompts.load_all(&app, &[prompt(name)], SampleRate::Hz16000, false).await.unwrap();
        }
        assert_eq!((files.fetches(), prompts.cache().slots.len()), (2, 1));
    }

    #[tokio::test]
    async fn prompts_that_last_too_long_together_are_invalid() {
        let long = || file(4_000, 301);
        let prompts = Prompts::new(Files::with([long(), long()]), 0);
        let both = [prompt("a"), prompt("b")];
        let refused = prompts.load_all(&app("app"), &both, SampleRate::Hz8000, false).await;
        assert_eq!(refused.unwrap_err(), Outcome::PromptInvalid);
    }

    #[tokio::test]
    async fn failures_are_not_kept() {
        let broken = Ok(Bytes::from_static(b"no sound"));
        let files = Files::with([Err("gone".to_owned()), broken, file(8_000, 1)]);
        let prompts = Prompts::new(files.clone(), 1 << 20);
        let app = app("app");
        for outcome in [Outcome::PromptDownloadFailed, Outcome::PromptInvalid] {
            assert_eq!(prompts.load(&app, &info("a")).await.unwrap_err(), outcome);
            assert!(prompts.cache().slots.is_empty());
        }
        assert!(prompts.load(&app, &info("a")).await.is_ok());
        assert_eq!(files.fetches(), 3);
    }

    #[tokio::test]
    async fn a_fetch_ahead_of_time_ends_with_its_call() {
        let files = Files::with([]);
        let prompts = Prompts::new(files.clone(), 1 << 20);
        let prefetch = prompts.prefetch(&app("app"), vec![info("a"), info("b")]);
        settled().await;
        assert_eq!(files.under_way(), 1);

        drop(prefetch);
        settled().await;

        assert_eq!((files.under_way(), files.fetches()), (0, 1));
        assert_eq!(prompts.turns.all.available_permits(), MAX_FETCHES);
    }

    #[tokio::test]
    async fn an_application_fetches_so_many_files_at_once_and_all_of_them_together_so_many() {
        let files = Files::with([]);
        let prompts = Prompts::new(files.clone(), 1 << 20);
        let greedy: Vec<Prefetch> =
            (0..40).map(|n| prompts.prefetch(&app("greedy"), vec![info(&n.to_string())])).collect();
        settled().await;
        assert_eq!(files.under_way(), MAX_FETCHES_OF_APP);

        let others: Vec<Prefetch> = (0..300)
            .map(|n| prompts.prefetch(&app(&format!("app {}", n / 10)), vec![info(&n.to_string())]))
            .collect();
        settled().await;
        assert_eq!(files.under_way(), MAX_FETCHES);

        drop((greedy, others));
        settled().await;
        assert_eq!(files.under_way(), 0);
        drop(prompts.turns.of_app(&app("new")));
        assert_eq!(prompts.turns.apps.lock().unwrap().len(), 1);
    }
}
