mod ledger;
mod turns;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use bytes::Bytes;
use media_engine::{PromptAudio, SampleRate, WavLimits};
use model::{AppId, MediaInfo, MediaPrompt, Outcome};
use store::BoxFuture;
use tokio::sync::OnceCell;
use tokio::task::AbortHandle;

use self::ledger::Ledger;
use self::turns::Turns;

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

/// The tone before a recording, made once.
static BEEP: LazyLock<Arc<PromptAudio>> = LazyLock::new(|| Arc::new(PromptAudio::beep()));

/// What prompts may take in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PromptMemory {
    /// Those that are kept although nobody plays them.
    pub kept_bytes: usize,
    /// All of them, loaded, played and kept.
    pub bytes: usize,
}

/// Prompts, fetched once for each `resourceId` of an application and kept ready to play; those without one are fetched once
/// for all who load or play them at a time.
#[derive(Clone)]
pub(crate) struct Prompts {
    source: Arc<dyn PromptSource>,
    memory: Arc<Mutex<Memory>>,
    turns: Arc<Turns>,
}

/// Every prompt that is in memory.
struct Memory {
    cache: Cache,
    shared: Shared,
    ledger: Ledger,
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
    pub(crate) fn new(source: Arc<dyn PromptSource>, sizes: PromptMemory) -> Self {
        let cache = Cache { slots: BTreeMap::new(), uses: 0, limit: sizes.kept_bytes };
        let memory = Memory { cache, shared: Shared::default(), ledger: Ledger::new(sizes.bytes) };
        Self { source, memory: Arc::new(Mutex::new(memory)), turns: Arc::new(Turns::new()) }
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
    /// As of the first prompt that fails, [`Outcome::PromptInvalid`] where they are too long in all, or
    /// [`Outcome::TooManyOperations`] where the application's prompts take as much memory as they may.
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
        // A prompt grows with each rate that it is heard at.
        let grows_by = loaded.iter().map(|prompt| prompt.bytes_to_convert(rate)).sum();
        let reserved = self.reserve(app, grows_by)?;
        let convert = move || {
            loaded.extend(beeps.then(|| Arc::clone(&BEEP)));
            loaded.iter().for_each(|prompt| drop(prompt.at_rate(rate)));
            drop(reserved);
            loaded
        };
        let loaded = self.work(app, convert).await?;
        self.memory().cache.settle();
        Ok(loaded)
    }

    /// A prompt as it was fetched.
    ///
    /// # Errors
    ///
    /// [`Outcome::PromptDownloadFailed`], [`Outcome::PromptInvalid`] or [`Outcome::TooManyOperations`]. Failures are not
    /// remembered.
    async fn load(&self, app: &AppId, info: &MediaInfo) -> Result<Arc<PromptAudio>, Outcome> {
        let Some(resource) = &info.resource_id else { return self.load_shared(app, info).await };
        let slot = self.memory().cache.slot((app.clone(), resource.clone()));
        let loaded = slot.get_or_try_init(|| self.fetch(app, info)).await.cloned();
        drop(slot);
        self.memory().cache.settle();
        loaded
    }

    /// A prompt that is not kept: fetched, unless it is there because someone loads or plays it.
    async fn load_shared(&self, app: &AppId, info: &MediaInfo) -> Result<Arc<PromptAudio>, Outcome> {
        let key = (app.clone(), info.uri.clone());
        let slot = match self.memory().shared.find(&key) {
            Found::Loading(slot) => slot,
            Found::Ready(prompt) => return Ok(prompt),
        };
        let loaded = slot.get_or_try_init(|| self.fetch(app, info)).await.cloned()?;
        self.memory().shared.loaded(key, &loaded);
        Ok(loaded)
    }

    /// A file by its address, as it is.
    pub(crate) async fn fetch_file(&self, uri: &str) -> Result<Bytes, String> {
        let _turn = self.turns.fetches.acquire().await.map_err(|closed| closed.to_string())?;
        self.source.fetch(None, uri).await
    }

    async fn fetch(&self, app: &AppId, info: &MediaInfo) -> Result<Arc<PromptAudio>, Outcome> {
        let _turn = self.turns.fetch(app).await.ok_or(Outcome::InternalError)?;
        let file = self.source.fetch(Some(app), &info.uri).await.map_err(|error| {
            tracing::warn!(error, "failed to fetch a prompt");
            Outcome::PromptDownloadFailed
        })?;
        let read = self.work(app, move || PromptAudio::from_wav(&file, &WavLimits::PROMPT)).await?;
        let prompt = read.map_err(|error| {
            tracing::warn!(%error, "failed to read a prompt");
            Outcome::PromptInvalid
        })?;
        let prompt = Arc::new(prompt);
        let mut memory = self.memory();
        memory.make_room(app, prompt.bytes())?;
        memory.ledger.enter(app, &prompt);
        Ok(Arc::clone(&prompt))
    }

    /// Room for what is about to be converted, until it is there.
    fn reserve(&self, app: &AppId, bytes: usize) -> Result<Reserved, Outcome> {
        let mut memory = self.memory();
        memory.make_room(app, bytes)?;
        memory.ledger.reserve(app, bytes);
        Ok(Reserved { memory: Arc::clone(&self.memory), app: app.clone(), bytes })
    }

    /// Reads or converts, which takes milliseconds for each second of sound: too long for the runtime's threads.
    async fn work<T: Send + 'static>(
        &self,
        app: &AppId,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Outcome> {
        let turn = self.turns.convert(app).await.ok_or(Outcome::InternalError)?;
        // The turn goes with the work, which goes on where nobody waits for it any more.
        let done = tokio::task::spawn_blocking(move || {
            let done = work();
            drop(turn);
            done
        });
        done.await.map_err(|_panicked| Outcome::InternalError)
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Memory that a conversion will take.
struct Reserved {
    memory: Arc<Mutex<Memory>>,
    app: AppId,
    bytes: usize,
}

impl Drop for Reserved {
    fn drop(&mut self) {
        let mut memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        memory.ledger.release(&self.app, self.bytes);
    }
}

impl Memory {
    /// Forgets what is kept and not played until an application may take so much more.
    fn make_room(&mut self, app: &AppId, bytes: usize) -> Result<(), Outcome> {
        while !self.ledger.has_room(app, bytes) {
            if !self.cache.forget_idle() {
                tracing::warn!(app.id = %app, bytes, "the prompts of an application take as much memory as they may");
                return Err(Outcome::TooManyOperations);
            }
        }
        Ok(())
    }
}

/// Prompts that nobody keeps, by the address that they came from.
#[derive(Default)]
struct Shared {
    loading: BTreeMap<Key, Weak<OnceCell<Arc<PromptAudio>>>>,
    ready: BTreeMap<Key, Weak<PromptAudio>>,
}

enum Found {
    Loading(Slot),
    Ready(Arc<PromptAudio>),
}

impl Shared {
    fn find(&mut self, key: &Key) -> Found {
        if let Some(prompt) = self.ready.get(key).and_then(Weak::upgrade) {
            return Found::Ready(prompt);
        }
        if let Some(slot) = self.loading.get(key).and_then(Weak::upgrade) {
            return Found::Loading(slot);
        }
        self.loading.retain(|_, slot| slot.strong_count() > 0);
        let slot = Slot::default();
        self.loading.insert(key.clone(), Arc::downgrade(&slot));
        Found::Loading(slot)
    }

    fn loaded(&mut self, key: Key, prompt: &Arc<PromptAudio>) {
        self.ready.retain(|_, prompt| prompt.strong_count() > 0);
        self.ready.insert(key, Arc::downgrade(prompt));
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

    /// Forgets the prompt that was not used for longest, of those that nobody plays or waits for; says whether there was one.
    fn forget_idle(&mut self) -> bool {
        let is_idle = |slot: &Slot| {
            Arc::strong_count(slot) == 1 && slot.get().is_some_and(|prompt| Arc::strong_count(prompt) == 1)
        };
        let idle = self.slots.iter().filter(|(_, (_, slot))| is_idle(slot));
        let oldest = idle.min_by_key(|(_, (used, _))| *used).map(|(key, _)| key.clone());
        oldest.is_some_and(|key| self.slots.remove(&key).is_some())
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

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use media_engine::wav_file;

    use super::turns::{MAX_FETCHES, MAX_FETCHES_OF_APP};
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
        fn fetch<'a>(
            &'a self,
            _app: Option<&'a AppId>,
            _uri: &'a str,
        ) -> BoxFuture<'a, Result<Bytes, String>> {
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

    /// Room enough for all, of which so much is for what is kept.
    const fn keeping(kept_bytes: usize) -> PromptMemory {
        PromptMemory { kept_bytes, bytes: 1 << 30 }
    }

    fn unkept(name: &str) -> MediaPrompt {
        MediaPrompt { media: MediaInfo { resource_id: None, ..info(name) } }
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
        let prompts = Prompts::new(files.clone(), keeping(150_000));
        let app = app("app");
        for name in ["a", "b", "c", "a"] {
            prompts.load_all(&app, &[prompt(name)], SampleRate::Hz16000, false).await.unwrap();
        }
        assert_eq!(files.fetches(), 3);

        // 32,000 bytes each, and 96,000 more for what is heard at 48 kHz.
        prompts.load_all(&app, &[prompt("a")], SampleRate::Hz48000, false).await.unwrap();
        assert_eq!(prompts.memory().cache.slots.len(), 1);
        prompts.load_all(&app, &[prompt("b")], SampleRate::Hz48000, false).await.unwrap();

        assert_eq!(files.fetches(), 4);
        let kept: usize =
            prompts.memory().cache.slots.values().map(|(_, slot)| slot.get().unwrap().bytes()).sum();
        assert!(kept <= 150_000, "{kept}");
    }

    #[tokio::test]
    async fn what_is_larger_than_the_cache_is_played_and_pushes_nothing_out() {
        let files = Files::with([file(16_000, 1), file(16_000, 9)]);
        let prompts = Prompts::new(files.clone(), keeping(100_000));
        let app = app("app");
        for name in ["small", "large", "small"] {
            prompts.load_all(&app, &[prompt(name)], SampleRate::Hz16000, false).await.unwrap();
        }
        assert_eq!((files.fetches(), prompts.memory().cache.slots.len()), (2, 1));
    }

    #[tokio::test]
    async fn prompts_that_last_too_long_together_are_invalid() {
        let long = || file(4_000, 301);
        let prompts = Prompts::new(Files::with([long(), long()]), keeping(0));
        let both = [prompt("a"), prompt("b")];
        let refused = prompts.load_all(&app("app"), &both, SampleRate::Hz8000, false).await;
        assert_eq!(refused.unwrap_err(), Outcome::PromptInvalid);
    }

    #[tokio::test]
    async fn failures_are_not_kept() {
        let broken = Ok(Bytes::from_static(b"no sound"));
        let files = Files::with([Err("gone".to_owned()), broken, file(8_000, 1)]);
        let prompts = Prompts::new(files.clone(), keeping(1 << 20));
        let app = app("app");
        for outcome in [Outcome::PromptDownloadFailed, Outcome::PromptInvalid] {
            assert_eq!(prompts.load(&app, &info("a")).await.unwrap_err(), outcome);
            assert!(prompts.memory().cache.slots.is_empty());
        }
        assert!(prompts.load(&app, &info("a")).await.is_ok());
        assert_eq!(files.fetches(), 3);
    }

    #[tokio::test]
    async fn a_fetch_ahead_of_time_ends_with_its_call() {
        let files = Files::with([]);
        let prompts = Prompts::new(files.clone(), keeping(1 << 20));
        let prefetch = prompts.prefetch(&app("app"), vec![info("a"), info("b")]);
        settled().await;
        assert_eq!(files.under_way(), 1);

        drop(prefetch);
        settled().await;

        assert_eq!((files.under_way(), files.fetches()), (0, 1));
        assert_eq!(prompts.turns.fetches.available_permits(), MAX_FETCHES);
    }

    #[tokio::test]
    async fn an_application_fetches_so_many_files_at_once_and_all_of_them_together_so_many() {
        let files = Files::with([]);
        let prompts = Prompts::new(files.clone(), keeping(1 << 20));
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
        assert_eq!(prompts.turns.apps(), 1);
    }

    #[tokio::test]
    async fn calls_that_play_the_same_address_share_it_while_one_of_them_does() {
        let files = Files::with([file(16_000, 1), file(16_000, 1), file(16_000, 1)]);
        let prompts = Prompts::new(files.clone(), keeping(1 << 20));
        let (ours, theirs) = (app("ours"), app("theirs"));
        let all = [unkept("a")];
        let load = |app| prompts.load_all(app, &all, SampleRate::Hz16000, false);
        let (first, second) = tokio::join!(load(&ours), load(&ours));
        let third = load(&ours).await.unwrap();
        assert!(Arc::ptr_eq(&first.unwrap()[0], &third[0]) && Arc::ptr_eq(&second.unwrap()[0], &third[0]));
        assert_eq!(files.fetches(), 1);

        load(&theirs).await.unwrap();
        assert_eq!(files.fetches(), 2);
        drop(third);
        load(&ours).await.unwrap();
        assert_eq!(files.fetches(), 3);
    }

    #[tokio::test]
    async fn prompts_past_an_applications_share_of_memory_are_refused_and_no_others() {
        let files = Files::with((0..9).map(|_| file(16_000, 1)));
        let prompts = Prompts::new(files.clone(), PromptMemory { kept_bytes: 64_000, bytes: 128_000 });
        // 32,000 bytes each.
        let load = async |owner: &str, prompt| {
            prompts.load_all(&app(owner), &[prompt], SampleRate::Hz16000, false).await
        };
        let first = load("greedy", unkept("a")).await.unwrap();
        let second = load("greedy", unkept("b")).await.unwrap();
        assert_eq!(load("greedy", unkept("c")).await.unwrap_err(), Outcome::TooManyOperations);
        assert!(load("other", unkept("d")).await.is_ok());

        drop(first);
        load("greedy", prompt("kept")).await.unwrap();
        assert!(load("greedy", unkept("e")).await.is_ok(), "what is kept makes room");
        assert!(prompts.memory().cache.slots.is_empty());
        drop(second);
    }

    #[tokio::test]
    async fn what_a_prompt_grows_by_counts_before_it_is_converted() {
        let files = Files::with([file(16_000, 1)]);
        let prompts = Prompts::new(files.clone(), PromptMemory { kept_bytes: 0, bytes: 128_000 });
        // 96,000 more at 48 kHz.
        let refused = prompts.load_all(&app("app"), &[unkept("a")], SampleRate::Hz48000, false).await;
        assert_eq!(refused.unwrap_err(), Outcome::TooManyOperations);
    }
}
