// dom.js: making and changing elements, without ever parsing HTML.

const SVG = "http://www.w3.org/2000/svg";

export function make(tag, className, attributes = {}) {
    const el = document.createElement(tag);
    if (className) el.className = className;
    for (const [name, value] of Object.entries(attributes)) el.setAttribute(name, value);
    return el;
}

// A status shape from the page's sprite.
export function shape(name) {
    const svg = document.createElementNS(SVG, "svg");
    svg.setAttribute("class", "shape");
    svg.setAttribute("aria-hidden", "true");
    svg.appendChild(document.createElementNS(SVG, "use"));
    shapeSet(svg, name);
    return svg;
}

export const shapeSet = (svg, name) => attributeSet(svg.firstChild, "href", "#s-" + name);

// Written only when changed: an unchanged page costs no layout and disturbs no selection.
export function textSet(el, text) {
    if (el.textContent !== text) el.textContent = text;
}

export function attributeSet(el, name, value) {
    if (el.getAttribute(name) !== String(value)) el.setAttribute(name, value);
}

export function hiddenSet(el, hidden) {
    if (el.hidden !== hidden) el.hidden = hidden;
}

// Makes the children of `parent` those of `wanted`, in this order, moving as few as possible.
export function childrenSet(parent, wanted) {
    const keep = new Set(wanted);
    for (const child of [...parent.children]) if (!keep.has(child)) child.remove();
    wanted.forEach((child, i) => {
        if (parent.children[i] !== child) parent.insertBefore(child, parent.children[i] || null);
    });
}

// What a text says of jobs by their id, as links; {text, href} for all of it.
const JOB = /(\b(?:job|after) )([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\b/;

export function jobsIn(text) {
    const [, before, id] = JOB.exec(text) || [];
    if (!id) return [{ text, href: "" }];
    const at = text.indexOf(before + id) + before.length;
    return [{ text: text.slice(0, at), href: "" }, { text: id, href: "/jobs/" + id }, ...jobsIn(text.slice(at + id.length))];
}

// Assigns only what has changed: Alpine paints again whatever is assigned.
export function assign(to, values) {
    for (const [key, value] of Object.entries(values)) if (to[key] !== value) to[key] = value;
}

let last = 0;

// An id that no other element of the page has.
export const uniqueId = (word) => word + "-" + ++last;

// Changes the document without Alpine looking at every change of it: what our own elements paint is
// none of its business, and with a thousand cards it looked for a tenth of the scripts' time.
export let unobserved = (change) => change();

export function unobservedBy(run) {
    unobserved = run;
}
