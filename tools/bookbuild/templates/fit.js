// Make what is wider than the column just fit it, and say what still does not.
column => {
  const wide = node => node.getBoundingClientRect().right - column;
  for (const node of document.querySelectorAll('table, math, svg, .output pre')) {
    const right = node.getBoundingClientRect().left + Math.max(node.scrollWidth,
      node.getBoundingClientRect().width);
    if (right > column + 1) {
      const left = node.getBoundingClientRect().left;
      node.style.zoom = Math.max(0.35, (column - left) / (right - left) * 0.99);
    }
  }
  return [...document.querySelectorAll('table, pre, img, math, figure')]
    .filter(node => node.offsetParent !== null && wide(node) > 2)
    .map(node => node.tagName + ' ' + node.textContent.trim().slice(0, 60));
}
