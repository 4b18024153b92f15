// job/graph.js: <tailrace-graph>, the steps as boxes and what each waits for as lines. It is there
// only when steps do not simply follow on each other.
//
//     event  stepchosen  {step_id}

import { attributeSet, hiddenSet, make, shape, shapeSet, textSet } from "../dom.js";
import { hasBranches, layersOf } from "./chart.js";

const SVG = "http://www.w3.org/2000/svg";
const BOX = { width: 176, height: 44, right: 52, below: 14 }; // px, as in job.css

class Graph extends HTMLElement {
    #boxes = new Map(); // step id → button
    #drawn = ""; // the steps and their lines

    render(job, chosen) {
        const branches = hasBranches(job.steps);
        hiddenSet(this, !branches);
        if (!branches) return;
        const form = JSON.stringify(job.steps.map((s) => [s.step_id, s.name, s.depends]));
        if (form !== this.#drawn) this.#draw(job.steps);
        this.#drawn = form;
        for (const step of job.steps) this.#paint(this.#boxes.get(step.step_id), step, chosen);
    }

    #draw(steps) {
        const layers = layersOf(steps);
        const places = new Map();
        layers.forEach((layer, column) =>
            layer.forEach((step, row) => places.set(step.name, { column, row })),
        );
        const stage = make("div", "graph");
        const most = Math.max(...layers.map((layer) => layer.length));
        const [width, height] = [px(layers.length, "width"), px(most, "height")];
        stage.style.setProperty("width", width + "px");
        stage.style.setProperty("height", height + "px");
        stage.append(linesDraw(steps, places, width, height));
        for (const step of steps) stage.append(this.#box(step, places.get(step.name)));
        this.replaceChildren(stage);
        for (const [name, value] of [["role", "group"], ["aria-label", "Graph of the steps"]])
            attributeSet(this, name, value);
    }

    #box(step, { column, row }) {
        const box = make("button", "graph-step", { type: "button", "data-step-id": step.step_id });
        box.shape = shape("pending");
        const name = make("span", "graph-name");
        name.textContent = step.name;
        box.word = make("span", "graph-status");
        box.append(box.shape, name, box.word);
        box.style.setProperty("left", column * (BOX.width + BOX.right) + "px");
        box.style.setProperty("top", row * (BOX.height + BOX.below) + "px");
        box.addEventListener("click", () => {
            const detail = { step_id: step.step_id };
            this.dispatchEvent(new CustomEvent("stepchosen", { bubbles: true, detail }));
        });
        this.#boxes.set(step.step_id, box);
        return box;
    }

    #paint(box, step, chosen) {
        attributeSet(box, "data-status", step.status);
        shapeSet(box.shape, step.status);
        textSet(box.word, step.status);
        if (step.step_id === chosen) attributeSet(box, "aria-current", "true");
        else box.removeAttribute("aria-current");
    }
}

const px = (n, side) =>
    side === "width"
        ? n * (BOX.width + BOX.right) - BOX.right
        : n * (BOX.height + BOX.below) - BOX.below;

function linesDraw(steps, places, width, height) {
    const svg = document.createElementNS(SVG, "svg");
    for (const [name, value] of Object.entries({ width, height, "aria-hidden": "true" }))
        svg.setAttribute(name, value);
    for (const step of steps) {
        for (const before of step.depends) {
            if (!places.has(before)) continue;
            const line = document.createElementNS(SVG, "path");
            line.setAttribute("d", curve(places.get(before), places.get(step.name)));
            svg.append(line);
        }
    }
    return svg;
}

function curve(from, to) {
    const x1 = from.column * (BOX.width + BOX.right) + BOX.width;
    const x2 = to.column * (BOX.width + BOX.right);
    const y = ({ row }) => row * (BOX.height + BOX.below) + BOX.height / 2;
    const bend = BOX.right / 2;
    return `M${x1} ${y(from)}C${x1 + bend} ${y(from)} ${x2 - bend} ${y(to)} ${x2} ${y(to)}`;
}

customElements.define("tailrace-graph", Graph);
