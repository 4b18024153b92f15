// frame.js: the elements of a log that are there all the time.
//
//     earlier  button: older lines        scroller  with space in it as high as the log,
//     newer    button: back to the end    layer     the rows in sight, at their place in it
//     probe    a hundred cells

import { make } from "../dom.js";

export function frameMake(painters, map, status) {
    const button = (className) => make("button", className, { type: "button" });
    const scroller = make("div", "log-scroll", { role: "log", "aria-live": "off", tabindex: "0" });
    const [space, layer, body] = ["log-space", "log-layer", "log-body"].map((c) => make("div", c));
    const [earlier, newer] = [button("log-earlier"), button("log-newer")];
    const probe = make("span", "log-probe", { "aria-hidden": "true" });
    probe.textContent = "0".repeat(100);
    earlier.hidden = newer.hidden = true;
    layer.append(...painters);
    space.append(layer, probe);
    scroller.append(space);
    body.append(scroller, map, newer);
    return { scroller, space, layer, probe, earlier, newer, all: [earlier, body, status] };
}
