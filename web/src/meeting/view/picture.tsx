import { useEffect, useMemo, useRef, useState } from "preact/hooks";

interface Props {
  /** What it shows, in words. */
  readonly label: string;
  readonly stream: MediaStream;
  /** As in a mirror: how people are used to see themselves. */
  readonly isMirrored?: boolean;
  /** A camera never stands still: one that does has been lost. */
  readonly isCamera?: boolean;
}

/** How often it is looked whether something new has come. */
const STALLED_MS = 4000;

/** A picture that moves. It is unseen until there is something in it. */
export function Picture({ label, stream, isMirrored = false, isCamera = false }: Props) {
  const video = useRef<HTMLVideoElement>(null);
  const [isLive, setLive] = useState(false);
  useEffect(() => {
    const element = video.current;
    if (!element) return;
    element.muted = true;
    element.srcObject = stream;
    setLive(false);
    void element.play().catch(() => {});
    return () => {
      element.srcObject = null;
    };
  }, [stream]);
  useEffect(() => {
    if (!isCamera) return;
    let before = 0;
    const timer = setInterval(() => {
      const count = video.current?.getVideoPlaybackQuality().totalVideoFrames ?? 0;
      // Browsers draw nothing in tabs that are not looked at.
      if (document.visibilityState === "visible") setLive(count !== before);
      before = count;
    }, STALLED_MS);
    return () => clearInterval(timer);
  }, [stream, isCamera]);
  const classes = ["picture", isMirrored ? "mirrored" : "", isLive ? "" : "picture-empty"];
  return (
    <video
      ref={video}
      class={classes.filter(Boolean).join(" ")}
      aria-label={label}
      playsInline
      autoPlay
      muted
      disablePictureInPicture
      onLoadedData={() => setLive(true)}
    />
  );
}

/** The picture of a device of one's own. */
export function OwnPicture({
  label,
  track,
  isMirrored = false,
}: {
  label: string;
  track: MediaStreamTrack;
  isMirrored?: boolean;
}) {
  const stream = useMemo(() => new MediaStream([track]), [track]);
  return <Picture label={label} stream={stream} isMirrored={isMirrored} />;
}
