import { fill, type Grade, grade, levels } from "../call";
import type { Console } from "../console";
import type { MediaSample, Sound } from "../protocol";
import { spaced } from "../story";
import { measured } from "../wording";
import { Badge } from "./parts";

/** How everybody's sound is at the moment, and was in the last minutes. */
export function MediaCard({ desk }: { desk: Console }) {
  const samples = desk.page.value?.samples ?? [];
  const participants = samples.at(-1)?.participants ?? [];
  return (
    <section class="card" aria-labelledby="media">
      <h2 id="media">Sound</h2>
      {participants.length === 0 && (
        <p class="nothing">
          Nobody's sound passes through here at the moment. Once it does, it is measured here every
          second.
        </p>
      )}
      <ul class="sounds">
        {participants.map((sound) => (
          <Measured key={sound.id} sound={sound} samples={samples} />
        ))}
      </ul>
    </section>
  );
}

function Measured({ sound, samples }: { sound: Sound; samples: readonly MediaSample[] }) {
  const { id, name, role, codec, isFlowing } = sound;
  const out = levels(samples, id, ({ levelOut }) => levelOut);
  return (
    <li>
      <p class="sound-name">
        <strong>{name || spaced(role)}</strong>
        <span class="quiet">
          {role}
          {codec && ` · ${codec}`}
        </span>
        {!isFlowing && <Badge kind="waiting">Silent line</Badge>}
      </p>
      <Level name="From" level={sound.levelIn} past={levels(samples, id, (s) => s.levelIn)} />
      {/* Not every server measures what it sends. */}
      {out.some((level) => level !== null) && <Level name="To" level={sound.levelOut} past={out} />}
      <table class="figures">
        <caption class="unseen">Quality of the sound from and to {name}</caption>
        <thead>
          <tr>
            <td />
            <th scope="col">From</th>
            <th scope="col">To</th>
          </tr>
        </thead>
        <tbody>
          <Figures
            name="Loss"
            from={[grade("loss", sound.lossIn), measured(sound.lossIn, "%", 1)]}
            to={[grade("loss", sound.lossOut), measured(sound.lossOut, "%", 1)]}
          />
          <Figures
            name="Jitter"
            from={[grade("jitter", sound.jitterInMs), measured(sound.jitterInMs, "ms", 1)]}
            to={[grade("jitter", sound.jitterOutMs), measured(sound.jitterOutMs, "ms", 1)]}
          />
          <Figures
            name="Packets"
            from={["unknown", String(sound.packetsIn)]}
            to={["unknown", String(sound.packetsOut)]}
          />
          <tr>
            <th scope="row">Round trip</th>
            <td colSpan={2} class={`grade-${grade("roundTrip", sound.roundTripMs)}`}>
              {measured(sound.roundTripMs, "ms", 1)}
            </td>
          </tr>
        </tbody>
      </table>
    </li>
  );
}

type Figure = readonly [Grade, string];

function Figures({ name, from, to }: { name: string; from: Figure; to: Figure }) {
  return (
    <tr>
      <th scope="row">{name}</th>
      <td class={`grade-${from[0]}`}>{from[1]}</td>
      <td class={`grade-${to[0]}`}>{to[1]}</td>
    </tr>
  );
}

interface LevelProps {
  readonly name: string;
  readonly level: number | null;
  readonly past: readonly (number | null)[];
}

const BARS = 60;

/** A bar for the level now, above those of the last minute. */
function Level({ name, level, past }: LevelProps) {
  const text = level === null ? "not measured" : measured(level, "dB");
  const shown = past.slice(-BARS);
  return (
    <div class="level">
      <span>{name}</span>
      <svg viewBox="0 0 120 32" preserveAspectRatio="none" role="img" aria-label={`Level: ${text}`}>
        <rect class="level-ground" x={0} y={0} width={120} height={8} rx={2} />
        <rect class="level-now" x={0} y={0} width={120 * fill(level)} height={8} rx={2} />
        <path class="level-line" d="M0 31.5H120" />
        {shown.map((one, at) => {
          const height = Math.max(1, 18 * fill(one));
          const x = 120 - (shown.length - at) * 2;
          return (
            <rect key={at} class="level-past" x={x} y={32 - height} width={1.5} height={height} />
          );
        })}
      </svg>
      <span class="timer">{level === null ? "–" : measured(level, "dB")}</span>
    </div>
  );
}
