// Names of layers, types, models and pathways become links to their page in the explorer.
// Only whole cells of tables and whole pieces of code are looked at, and only names that the
// explorer knows are linked; without an explorer nothing happens.
(function () {
  "use strict";
  const root = new URL("../", document.currentScript.src);
  const looksLike = /^L(1|23|4|5|6)(_[A-Za-z0-9-]+)+(:L(1|23|4|5|6)_[A-Za-z0-9_-]+)?$/;

  function candidates() {
    return [...document.querySelectorAll("main td, main th[scope=row], main tbody th, main p code, main li code")]
      .filter((node) => !node.closest("a, pre, button") && !node.querySelector("a"))
      .map((node) => [node, node.textContent.trim()])
      .filter(([, text]) => looksLike.test(text));
  }

  function link(found, known) {
    for (const [node, text] of found) {
      const kind = known.get(text);
      if (!kind) continue;
      const anchor = document.createElement("a");
      anchor.href = new URL("explorer/" + kind + ".html#item=" + text, root).href;
      anchor.className = "explorer-link";
      anchor.append(...node.childNodes);
      node.append(anchor);
    }
  }

  function start() {
    const found = candidates();
    if (!found.length) return;
    const known = new Map();
    window.NMC = window.NMC || {};
    window.NMC.put = (shard, names) => {
      for (const [kind, listed] of Object.entries(names)) listed.forEach((name) => known.set(name, kind));
      for (const [, text] of found) {
        const [pre, post] = text.split(":");
        if (post && known.get(pre) === "mtype" && known.get(post) === "mtype") known.set(text, "pathway");
      }
      link(found, known);
    };
    const script = document.createElement("script");
    script.src = new URL("explorer/data/names.js", root).href;
    document.head.append(script);
  }

  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", start);
  else start();
})();
