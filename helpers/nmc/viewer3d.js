// A small orbit viewer on a plain canvas: points, lines, and who connects to whom.
// Drag turns, the wheel zooms once the view has the focus, arrows and + − work too.
function startView3d(figure) {
  if (figure.dataset.ready) return;
  figure.dataset.ready = "1";
  const data = JSON.parse(figure.querySelector("script[type='application/json']").textContent);
  const still = figure.querySelector("img");
  const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  const at = new Uint16Array(bytes(data.xyz).buffer);
  const group = bytes(data.group);
  const nPoints = data.n_points, nSegments = data.n_segments;
  const indptr = data.indptr ? new Uint32Array(bytes(data.indptr).buffer) : null;
  const indices = data.indices ? new Uint16Array(bytes(data.indices).buffer) : null;
  const shown = data.labels.map(() => true);
  const nAll = nPoints + 2 * nSegments;
  const sx = new Float32Array(nAll), sy = new Float32Array(nAll), depth = new Float32Array(nAll);
  const order = new Uint32Array(nPoints).map((_, i) => i);
  const start = { yaw: data.yaw, pitch: data.pitch, zoom: 1 };
  let view = { ...start }, picked = -1, wanted = false, into = null;

  const canvas = document.createElement("canvas");
  canvas.tabIndex = 0;
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", still.alt + " Arrow keys turn it, plus and minus zoom.");
  canvas.style.cssText = "width:100%;touch-action:pan-y;cursor:grab;display:block;outline-offset:2px";
  const bar = document.createElement("div");
  bar.style.cssText = "display:flex;flex-wrap:wrap;gap:.2em .8em;align-items:center;font-size:.85em";
  const said = document.createElement("div");
  said.setAttribute("aria-live", "polite");
  said.style.cssText = "font-size:.85em;min-height:1.4em";
  still.replaceWith(bar, canvas, said);

  data.labels.forEach((label, k) => {
    const box = document.createElement("label");
    const tick = Object.assign(document.createElement("input"), { type: "checkbox", checked: true });
    tick.addEventListener("change", () => { shown[k] = tick.checked; draw(); });
    const dot = document.createElement("span");
    dot.style.cssText = `display:inline-block;width:.8em;height:.8em;border-radius:50%;margin:0 .3em;background:${data.colours[k]}`;
    box.append(tick, dot, label);
    bar.append(box);
  });
  const again = Object.assign(document.createElement("button"), { type: "button", textContent: "Reset view" });
  again.addEventListener("click", () => { view = { ...start }; picked = -1; tell(); draw(); });
  bar.append(again);

  function project() {
    const ratio = window.devicePixelRatio || 1;
    const width = canvas.clientWidth, height = Math.round(width * data.aspect);
    if (canvas.width !== Math.round(width * ratio)) {
      canvas.width = Math.round(width * ratio);
      canvas.height = Math.round(height * ratio);
      canvas.style.height = height + "px";
    }
    const [ca, sa] = [Math.cos(view.yaw), Math.sin(view.yaw)];
    const [cb, sb] = [Math.cos(view.pitch), Math.sin(view.pitch)];
    const scale = view.zoom * data.fit * Math.min(width, height / data.aspect);
    for (let i = 0; i < nAll; i++) {
      const x = at[3 * i] / 65535 * data.span[0] - data.span[0] / 2;
      const y = at[3 * i + 1] / 65535 * data.span[1] - data.span[1] / 2;
      const z = at[3 * i + 2] / 65535 * data.span[2] - data.span[2] / 2;
      const u = ca * x + sa * z, w = -sa * x + ca * z;
      sx[i] = width / 2 + scale * u;
      sy[i] = height / 2 - scale * (cb * y - sb * w);
      depth[i] = sb * y + cb * w;
    }
    return { ratio, width, height, scale };
  }

  function draw() {
    if (!wanted) { wanted = true; requestAnimationFrame(paint); }
  }

  function paint() {
    wanted = false;
    const { ratio, width, height, scale } = project();
    const pen = canvas.getContext("2d");
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.clearRect(0, 0, width, height);
    const far = Math.hypot(...data.span) / 2 || 1;
    const near = (i) => 0.5 + 0.5 * Math.max(-1, Math.min(1, depth[i] / far));
    const partners = picked < 0 ? null : linked();
    for (let k = 0; k < nSegments; k++) {
      const i = nPoints + 2 * k, g = group[nPoints + k];
      if (!shown[g]) continue;
      pen.globalAlpha = 0.35 + 0.65 * near(i);
      pen.strokeStyle = data.colours[g];
      pen.lineWidth = Math.max(0.7, (data.width ? data.width[k] : 0) * scale);
      pen.beginPath(); pen.moveTo(sx[i], sy[i]); pen.lineTo(sx[i + 1], sy[i + 1]); pen.stroke();
    }
    order.sort((a, b) => depth[a] - depth[b]);
    const size = Math.max(1.2, data.point_size * Math.sqrt(view.zoom) * width / 640);
    for (const i of order) {
      if (!shown[group[i]]) continue;
      const on = !partners || partners.has(i);
      pen.globalAlpha = on ? 0.35 + 0.65 * near(i) : 0.08;
      pen.fillStyle = data.colours[group[i]];
      const r = size * (0.7 + 0.6 * near(i)) * (partners && on ? 1.4 : 1);
      pen.beginPath(); pen.arc(sx[i], sy[i], r, 0, 7); pen.fill();
    }
    if (partners) {
      for (const [j, kind] of partners) {
        if (j === picked || !shown[group[j]]) continue;
        pen.globalAlpha = 0.45;
        pen.strokeStyle = kind === 1 ? data.out_colour : kind === 2 ? data.in_colour : data.both_colour;
        pen.lineWidth = 0.8;
        pen.beginPath(); pen.moveTo(sx[picked], sy[picked]); pen.lineTo(sx[j], sy[j]); pen.stroke();
      }
      pen.globalAlpha = 1; pen.lineWidth = 2; pen.strokeStyle = getComputedStyle(canvas).color;
      pen.beginPath(); pen.arc(sx[picked], sy[picked], 3 * size, 0, 7); pen.stroke();
    }
    scaleBar(pen, height, scale);
  }

  function scaleBar(pen, height, scale) {
    const raw = 90 / scale, power = 10 ** Math.floor(Math.log10(raw));
    const length = [1, 2, 5, 10].map((m) => m * power).filter((l) => l <= raw * 1.3).pop();
    pen.globalAlpha = 1;
    pen.strokeStyle = pen.fillStyle = getComputedStyle(canvas).color;
    pen.lineWidth = 2;
    pen.beginPath(); pen.moveTo(10, height - 10); pen.lineTo(10 + length * scale, height - 10); pen.stroke();
    pen.font = "12px sans-serif";
    pen.fillText(`${+length.toPrecision(3)} ${data.unit}`, 10, height - 16);
  }

  function linked() {  // 1 out, 2 in, 3 both
    const found = new Map([[picked, 0]]);
    for (let k = indptr[picked]; k < indptr[picked + 1]; k++) found.set(indices[k], 1);
    for (const j of sources(picked)) found.set(j, (found.get(j) || 0) | 2);
    return found;
  }

  function sources(target) {
    if (!into) {
      into = Array.from({ length: nPoints }, () => []);
      for (let i = 0; i < nPoints; i++) {
        for (let k = indptr[i]; k < indptr[i + 1]; k++) into[indices[k]].push(i);
      }
    }
    return into[target];
  }

  function tell() {
    if (!indptr) return;
    if (picked < 0) { said.textContent = data.hint; return; }
    const name = data.names ? data.names[data.name[picked]] : data.labels[group[picked]];
    said.textContent = `${name}: ${indptr[picked + 1] - indptr[picked]} outputs, ` +
      `${sources(picked).length} inputs among the neurons shown.`;
  }

  function pick(x, y) {
    let best = -1, nearest = 144;
    for (let i = 0; i < nPoints; i++) {
      if (!shown[group[i]]) continue;
      const d = (sx[i] - x) ** 2 + (sy[i] - y) ** 2;
      if (d < nearest || (d < nearest + 4 && best >= 0 && depth[i] > depth[best])) { nearest = Math.min(d, nearest); best = i; }
    }
    picked = best === picked ? -1 : best;
    tell(); draw();
  }

  let drag = null;
  canvas.addEventListener("pointerdown", (e) => {
    drag = { x: e.clientX, y: e.clientY, moved: 0 };
    canvas.setPointerCapture(e.pointerId);
  });
  canvas.addEventListener("pointermove", (e) => {
    if (!drag) return;
    const dx = e.clientX - drag.x, dy = e.clientY - drag.y;
    drag.moved += Math.abs(dx) + Math.abs(dy);
    turn(dx * 0.008, e.pointerType === "touch" ? 0 : dy * 0.006);
    drag.x = e.clientX; drag.y = e.clientY;
  });
  canvas.addEventListener("pointerup", (e) => {
    if (drag && drag.moved < 5 && indptr) {
      const box = canvas.getBoundingClientRect();
      pick(e.clientX - box.left, e.clientY - box.top);
    }
    drag = null;
  });
  canvas.addEventListener("pointercancel", () => { drag = null; });
  canvas.addEventListener("wheel", (e) => {
    if (document.activeElement !== canvas) return;  // the page scrolls until the view is chosen
    e.preventDefault();
    zoom(Math.exp(-e.deltaY * 0.0012));
  }, { passive: false });
  canvas.addEventListener("keydown", (e) => {
    const step = { ArrowLeft: [-0.1, 0], ArrowRight: [0.1, 0], ArrowUp: [0, -0.1], ArrowDown: [0, 0.1] }[e.key];
    if (step) turn(...step);
    else if (e.key === "+" || e.key === "=") zoom(1.15);
    else if (e.key === "-") zoom(1 / 1.15);
    else if (e.key === "Escape") { picked = -1; tell(); draw(); }
    else return;
    e.preventDefault();
  });
  function turn(yaw, pitch) {
    view.yaw += yaw;
    view.pitch = Math.max(-1.5, Math.min(1.5, view.pitch + pitch));
    draw();
  }
  function zoom(by) { view.zoom = Math.max(0.3, Math.min(20, view.zoom * by)); draw(); }
  if (window.ResizeObserver) new ResizeObserver(draw).observe(canvas);
  tell();
  draw();
}
