import { useEffect, useRef, useState } from "preact/hooks";
import { Icon } from "../../common/view/icons";
import { Avatar } from "../../common/view/person";
import { pictureKey } from "../gallery";
import type { Meeting } from "../meeting";
import type { Participant } from "../protocol";
import { calledBy, inside } from "../roster";
import { arrange, pictures, type Size, type Stage } from "../stage";
import { OwnPicture, Picture } from "./picture";

/** Everybody's picture, as large as the window lets it be. */
export function Tiles({ meeting }: { meeting: Meeting }) {
  const room = useRef<HTMLDivElement>(null);
  const [size, setSize] = useState<Size>({ width: 0, height: 0 });
  useEffect(() => {
    const element = room.current;
    if (!element) return;
    const look = () => setSize({ width: element.clientWidth, height: element.clientHeight });
    const observer = new ResizeObserver(look);
    observer.observe(element);
    look();
    return () => observer.disconnect();
  }, []);

  const visit = meeting.visit.value;
  const stage = arrange(visit, size);
  const wanted = size.width > 0 ? pictures(stage, visit.you, devicePixelRatio) : [];
  const key = JSON.stringify(wanted);
  useEffect(() => meeting.watch(wanted), [key]);
  // What nobody looks at need not be sent.
  useEffect(() => () => meeting.watch([]), []);

  const { screen } = stage;
  const stream = screen && meeting.gallery.streams.value.get(pictureKey("screen", screen.id));
  return (
    <div class="frame">
      <div class={screen && stage.isBeside ? "stage stage-beside" : "stage"} ref={room}>
        {screen && (
          <figure class="screen" style={pixels(stage.screenSize)}>
            <p class="quiet">The screen is on its way…</p>
            {stream && <Picture label={`Screen of ${calledBy(screen)}`} stream={stream} />}
            <figcaption>{calledBy(screen)} shares the screen</figcaption>
          </figure>
        )}
        <ul class="tiles" aria-label="People who are shown">
          {stage.tiles.map((one) => (
            <Tile key={one.id} meeting={meeting} person={one} stage={stage} />
          ))}
        </ul>
      </div>
      {stage.hidden > 0 && <p class="remainder">and {stage.hidden} more</p>}
      {inside(visit.people).length === 1 && <p class="remainder">Nobody else is here yet.</p>}
    </div>
  );
}

/** Below this height, in pixels, the name covers what is in the middle. */
const LOW = 110;

function Tile(props: { meeting: Meeting; person: Participant; stage: Stage }) {
  const { meeting, person, stage } = props;
  const visit = meeting.visit.value;
  const isSelf = person.id === visit.you;
  const isMuted = isSelf ? visit.muted : person.isMuted;
  const isSpeaking = visit.speaker === person.id && !isMuted;
  const name = isSelf ? "You" : calledBy(person);
  const { height } = stage.tileSize;
  const classes = ["tile", isSpeaking && "tile-speaking", height < LOW && "tile-low"];
  return (
    <li class={classes.filter(Boolean).join(" ")} style={pixels(stage.tileSize)}>
      <Avatar person={{ name: person.name, address: "" }} large={height > 130} />
      <Camera meeting={meeting} person={person} isSelf={isSelf} />
      <p class="tile-name">
        {person.hand !== null && (
          <span class="tile-hand">
            <Icon name="hand" />
            <span class="unseen">raises a hand</span>
          </span>
        )}
        {isMuted && (
          <>
            <Icon name="microphoneOff" />
            <span class="unseen">is muted</span>
          </>
        )}
        <span class="tile-text">{name}</span>
        {isSpeaking && <span class="unseen">speaks</span>}
      </p>
    </li>
  );
}

function Camera(props: { meeting: Meeting; person: Participant; isSelf: boolean }) {
  const { meeting, person, isSelf } = props;
  const own = meeting.equipment.camera.value;
  if (isSelf) return own && <OwnPicture label="Your camera" track={own} isMirrored />;
  const stream = meeting.gallery.streams.value.get(pictureKey("camera", person.id));
  if (!stream || !person.camera) return null;
  return <Picture label={`Camera of ${calledBy(person)}`} stream={stream} isCamera />;
}

function pixels({ width, height }: Size) {
  return { width: `${width}px`, height: `${height}px` };
}
