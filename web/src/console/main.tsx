import { render } from "preact";
import { Console } from "./console";
import { App } from "./view/app";

const place = document.getElementById("console");
if (place) {
  const desk = new Console();
  render(<App desk={desk} />, place);
  void desk.start();
}
