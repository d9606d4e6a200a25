import { useEffect, useMemo, useRef, useState } from "preact/hooks";

interface Props {
  /** What it shows, in words. */
  readonly label: string;
  readonly stream: MediaStream;
  /** As in a mirror: how people are used to see themselves. */
  readonly isMirrored?: boolean;
}

/** A picture that moves. It is unseen until there is something in it. */
export function Picture({ label, stream, isMirrored = false }: Props) {
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
