// Which pages of a site can be reached by links: an independent count to hold the crawler against.
// Plain breadth-first search with fetch() and node's own URL parser; links by a regular expression,
// which is enough for generated documentation (no scripts that write links).

const LINK = /<a\s[^>]*?href\s*=\s*(?:"([^"]*)"|'([^']*)')/gis;
const ENTITY = { amp: "&", lt: "<", gt: ">", quot: '"', "#39": "'" };

function links(html, base) {
  const found = [];
  for (const match of html.matchAll(LINK)) {
    const href = (match[1] ?? match[2]).replace(/&(amp|lt|gt|quot|#39);/g, (_, name) => ENTITY[name]);
    let url;
    try {
      url = new URL(href.trim(), base);
    } catch {
      continue;
    }
    url.hash = "";
    if (url.origin === new URL(base).origin) found.push(url.href);
  }
  return found;
}

/** Resolves to a map url -> {status, type}: every address that is linked from `start` on. */
export async function reach(start) {
  const seen = new Map([[start, null]]);
  const queue = [start];
  async function visit(url) {
    const answer = await fetch(url, { redirect: "manual" });
    const type = answer.headers.get("content-type") ?? "";
    seen.set(url, { status: answer.status, type });
    let next = [];
    if (answer.status >= 300 && answer.status < 400) next = [new URL(answer.headers.get("location"), url).href];
    else if (type.startsWith("text/html")) next = links(await answer.text(), url);
    await answer.body?.cancel().catch(() => {});
    for (const link of next) {
      if (seen.has(link)) continue;
      seen.set(link, null);
      queue.push(link);
    }
  }
  while (queue.length) await Promise.all(queue.splice(0, 16).map(visit));
  return seen;
}

if (import.meta.url === `file://${process.argv[1]}`) {
  const seen = await reach(process.argv[2]);
  const all = [...seen.values()];
  const pages = all.filter((p) => p.status === 200 && p.type.startsWith("text/html"));
  const count = (status) => all.filter((p) => p.status === status).length;
  console.log(`${seen.size} addresses: ${count(200)} found (${pages.length} of them HTML), ${count(404)} missing, ${count(301) + count(302)} redirects`);
}
