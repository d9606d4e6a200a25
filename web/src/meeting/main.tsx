import { render } from "preact";
import { Meeting } from "./meeting";
import { App } from "./view/app";

const place = document.getElementById("meeting");
if (place) {
  const meeting = new Meeting();
  render(<App meeting={meeting} />, place);
  void meeting.start();
}
