import { render } from "preact";
import { Phone } from "./phone";
import { App } from "./view/app";

const place = document.getElementById("phone");
if (place) {
  const phone = new Phone();
  render(<App phone={phone} />, place);
  void phone.start();
}
