// Runs of a cell: a menu, a slider, the soma's trace and the tree coloured by voltage.
function startRuns(figure) {
  if (figure.dataset.ready) return;
  figure.dataset.ready = "1";
  const data = JSON.parse(figure.querySelector("script[type='application/json']").textContent);
  const still = figure.querySelector("img");
  const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  const runs = data.runs.map((run) => ({
    ...run, levels: bytes(run.levels), soma: new Int16Array(bytes(run.soma).buffer),
  }));
  const INK = "#22262B", TRACE = "#0072B2", NOW = "#D55E00";
  let run = runs[0], frame = 0, timer = null;

  const make = (tag, more = {}, css = "") => {
    const element = Object.assign(document.createElement(tag), more);
    element.style.cssText = css;
    return element;
  };
  const bar = make("div", {}, "display:flex;flex-wrap:wrap;gap:.4em .8em;align-items:center;font-size:.9em;margin-bottom:.4em");
  const menuLabel = make("label", { textContent: "Run " });
  const menu = make("select", {}, "font:inherit;max-width:100%");
  runs.forEach((r, i) => menu.append(make("option", { value: i, textContent: r.label })));
  menuLabel.append(menu);
  const play = make("button", { type: "button", textContent: "Play" }, "font:inherit");
  const sliderLabel = make("label", { textContent: "Time " }, "display:flex;flex:1 1 12em;gap:.4em;align-items:center");
  const slider = make("input", { type: "range", min: 0, step: 1 }, "flex:1");
  sliderLabel.append(slider);
  bar.append(menuLabel, play, sliderLabel);
  const views = make("div", {}, "display:flex;flex-wrap:wrap;gap:.5em");
  const box = "background:#fff;display:block;border-radius:4px;height:300px;";
  const tree = make("canvas", {}, box + "flex:1 1 220px;min-width:0");
  const trace = make("canvas", {}, box + "flex:2 1 300px;min-width:0");
  tree.setAttribute("role", "img");
  tree.setAttribute("aria-label", "The dendrites and the soma, coloured by voltage at the chosen time.");
  trace.setAttribute("role", "img");
  trace.setAttribute("aria-label", still.alt);
  views.append(tree, trace);
  const said = make("div", {}, "font-size:.85em;min-height:1.4em");
  still.replaceWith(bar, views, said);

  const flat = data.lines.flat();
  const xs = flat.filter((_, i) => i % 2 === 0), ys = flat.filter((_, i) => i % 2 === 1);
  const least = (a) => a.reduce((m, v) => Math.min(m, v), Infinity);
  const most = (a) => a.reduce((m, v) => Math.max(m, v), -Infinity);
  const [x0, x1, y0, y1] = [least(xs), most(xs), least(ys), most(ys)];

  function pen(canvas) {
    const ratio = window.devicePixelRatio || 1;
    const width = canvas.clientWidth, height = canvas.clientHeight;
    if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
      canvas.width = Math.round(width * ratio);
      canvas.height = Math.round(height * ratio);
    }
    const p = canvas.getContext("2d");
    p.setTransform(ratio, 0, 0, ratio, 0, 0);
    p.clearRect(0, 0, width, height);
    p.font = "11px sans-serif";
    p.fillStyle = p.strokeStyle = INK;
    return [p, width, height];
  }
  const colour = (k) => {
    const level = run.levels[frame * run.wide + run.place[k]];
    return data.colours[Math.min(data.colours.length - 1, Math.floor(level / 256 * data.colours.length))];
  };

  function drawTree() {
    const [p, width, height] = pen(tree);
    const room = 44, scale = Math.min((width - 16 - room) / (x1 - x0), (height - 16) / (y1 - y0));
    const px = (x) => (width - room) / 2 + scale * (x - (x0 + x1) / 2);
    const py = (y) => height / 2 + scale * (y - (y0 + y1) / 2);
    const path = (line) => {
      p.beginPath();
      for (let i = 0; i < line.length; i += 2) p[i ? "lineTo" : "moveTo"](px(line[i]), py(line[i + 1]));
    };
    p.lineWidth = 1.6;
    data.lines.forEach((line, k) => { p.strokeStyle = colour(k + 1); path(line); p.stroke(); });
    path(data.soma[0]);
    p.closePath(); p.fillStyle = colour(0); p.fill();
    const n = data.colours.length, top = 20, tall = height - 40;
    data.colours.forEach((c, i) => {
      p.fillStyle = c;
      p.fillRect(width - room + 6, top + tall * (1 - (i + 1) / n), 8, tall / n + 1);
    });
    p.fillStyle = INK;
    for (const v of [data.low, data.low + data.span / 2, data.low + data.span]) {
      p.fillText(`${v}`.replace("-", "−"), width - room + 17, top + tall * (1 - (v - data.low) / data.span) + 4);
    }
    p.fillText("mV", width - room + 6, 12);
  }

  function drawTrace() {
    const [p, width, height] = pen(trace);
    const left = 52, right = 20, top = 10, bottom = 34;
    const total = run.n * run.frame_ms;
    const px = (t) => left + (width - left - right) * t / total;
    const low = -95, high = 50, py = (v) => top + (height - top - bottom) * (high - v) / (high - low);
    if (run.stimulus.length) {
      p.fillStyle = "rgba(95,99,104,.12)";
      p.fillRect(px(run.stimulus[0]), top, px(run.stimulus[1]) - px(run.stimulus[0]), height - top - bottom);
    }
    p.fillStyle = p.strokeStyle = INK;
    p.lineWidth = 1;
    p.beginPath(); p.moveTo(left, top); p.lineTo(left, height - bottom); p.lineTo(width - right, height - bottom); p.stroke();
    p.textAlign = "right";
    for (const v of [-80, -40, 0, 40]) p.fillText(`${v}`.replace("-", "−"), left - 6, py(v) + 4);
    p.save(); p.translate(14, (height - bottom + top) / 2); p.rotate(-Math.PI / 2); p.textAlign = "center";
    p.fillText("soma (mV)", 0, 0); p.restore();
    p.textAlign = "center";
    const every = [10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000].find((s) => total / s <= 5) || 20000;
    for (let t = 0; t <= total; t += every) p.fillText(t.toLocaleString("en"), px(t), height - bottom + 14);
    p.fillText("time (ms)", (left + width - right) / 2, height - 6);
    p.strokeStyle = TRACE; p.beginPath();
    run.soma.forEach((v, i) => p[i ? "lineTo" : "moveTo"](px(i * run.soma_ms), py(v / 100)));
    p.stroke();
    p.strokeStyle = NOW; p.lineWidth = 1.5;
    p.beginPath(); p.moveTo(px(frame * run.frame_ms), top); p.lineTo(px(frame * run.frame_ms), height - bottom); p.stroke();
  }

  function show() {
    const t = frame * run.frame_ms, level = run.levels[frame * run.wide + run.place[0]];
    const v = Math.round(data.low + data.span * level / 255);
    const told = `${t.toFixed(t % 1 ? 1 : 0)} ms, soma ${v} mV`.replace("-", "−");
    slider.value = frame;
    slider.setAttribute("aria-valuetext", told);
    said.textContent = `${told}; ${run.spikes} spike${run.spikes === 1 ? "" : "s"} in this run.`;
    drawTree(); drawTrace();
  }
  function choose(index) {
    run = runs[index];
    slider.max = run.n - 1;
    let best = 0;  // begin where the soma is highest: something is happening there
    for (let f = 0; f < run.n; f++) {
      if (run.levels[f * run.wide + run.place[0]] > run.levels[best * run.wide + run.place[0]]) best = f;
    }
    frame = best;
    show();
  }
  function stop() { clearInterval(timer); timer = null; play.textContent = "Play"; }
  menu.addEventListener("change", () => { stop(); choose(Number(menu.value)); });
  slider.addEventListener("input", () => { stop(); frame = Number(slider.value); show(); });
  play.addEventListener("click", () => {
    if (timer) { stop(); return; }
    play.textContent = "Pause";
    timer = setInterval(() => { frame = (frame + 1) % run.n; show(); }, 40);
  });
  trace.addEventListener("click", (e) => {
    const at = (e.clientX - trace.getBoundingClientRect().left - 52) / (trace.clientWidth - 64);
    stop(); frame = Math.max(0, Math.min(run.n - 1, Math.floor(at * run.n))); show();
  });
  if (window.ResizeObserver) new ResizeObserver(show).observe(views);
  choose(0);
}
