// What the tests ask a browser about a page, put into it from outside: the page itself runs nothing.
(() => {
  const elements = () => [...document.body.querySelectorAll('*')];
  const styleOf = (one, part) => getComputedStyle(one, part);
  const isDrawn = one => one instanceof SVGElement;
  const ancestors = function* (one) {
    for (let up = one; up; up = up.parentElement) yield up;
  };

  // Heads of tables that are set one value below the other, and the like, are there for the ear alone: in one pixel.
  const known = new WeakMap();
  const isForTheEar = one => {
    if (!one || one === document.body) return false;
    if (!known.has(one)) {
      const own = one.offsetWidth <= 1 && one.offsetHeight <= 1 && styleOf(one).overflow === 'hidden';
      known.set(one, own || isForTheEar(one.parentElement));
    }
    return known.get(one);
  };
  const isShown = one => one.checkVisibility() && !isForTheEar(one);

  const nameOf = one =>
    [...ancestors(one)].slice(0, 4).reverse().filter(up => up.closest('body') && up !== document.body)
      .map(up => [up.localName + (up.id && '#' + up.id), ...up.classList].join('.')).join(' > ');

  const texts = function* () {
    const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walk.nextNode())
      if (walk.currentNode.data.trim() && isShown(walk.currentNode.parentElement)) yield walk.currentNode;
  };

  const boxesOf = text => {
    const range = document.createRange();
    range.selectNodeContents(text);
    return [...range.getClientRects()].filter(box => box.width > 0 && box.height > 0);
  };

  // Elements and texts beyond the page's sides, or within `margin` of them. What may roll may stick out of a part
  // that scrolls by itself.
  const stickingOut = ({mayRoll, margin}) => {
    document.body.style.paddingInline = margin ? `${margin}px` : '';
    const width = document.scrollingElement.clientWidth;
    const isOut = box => box.right > width - margin + 1 || box.left < margin - 1;
    const rolls = one => [...ancestors(one)].some(up => ['auto', 'scroll'].includes(styleOf(up).overflowX));
    const found = new Set();
    for (const one of elements()) {
      const box = one.getBoundingClientRect();
      if (isShown(one) && box.width > 0 && box.height > 0 && isOut(box) && !(mayRoll && rolls(one.parentElement)))
        found.add(nameOf(one));
    }
    for (const text of texts())
      if (boxesOf(text).some(isOut) && !(mayRoll && rolls(text.parentElement)))
        found.add(`${nameOf(text.parentElement)}: ${text.data.trim().slice(0, 30)}`);
    return [...found];
  };

  const canvas = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
  const channelsOf = color => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = color;
    canvas.fillRect(0, 0, 1, 1);
    const [red, green, blue, alpha] = canvas.getImageData(0, 0, 1, 1).data;
    return [red, green, blue, alpha / 255];
  };
  const over = ([red, green, blue, alpha], under) =>
    [red, green, blue].map((channel, place) => channel * alpha + under[place] * (1 - alpha));
  const opacityOf = one => [...ancestors(one)].reduce((product, up) => product * styleOf(up).opacity, 1);
  const luminanceOf = color =>
    color.map(channel => channel / 255)
      .map(channel => (channel <= 0.04045 ? channel / 12.92 : ((channel + 0.055) / 1.055) ** 2.4))
      .reduce((sum, channel, place) => sum + channel * [0.2126, 0.7152, 0.0722][place], 0);

  // The colour that is painted behind an element's text at a point: every layer below it, from white paper up.
  const behind = (one, x, y) => {
    const stack = document.elementsFromPoint(x, y);
    const below = stack.slice(stack.indexOf(one) + (isDrawn(one) ? 1 : 0)).reverse();
    return below.filter(layer => !(isDrawn(layer) && ['svg', 'g', 'text', 'tspan'].includes(layer.localName)))
      .reduce((color, layer) => {
        const style = styleOf(layer);
        const [red, green, blue, alpha] = channelsOf(isDrawn(layer) ? style.fill : style.backgroundColor);
        const seen = alpha * (isDrawn(layer) ? style.fillOpacity : 1) * opacityOf(layer);
        return over([red, green, blue, seen], color);
      }, [255, 255, 255]);
  };

  const ratio = (one, part, x, y) => {
    const under = behind(one, x, y);
    const [red, green, blue, alpha] = channelsOf(isDrawn(one) ? styleOf(one).fill : styleOf(one, part).color);
    const text = luminanceOf(over([red, green, blue, alpha * opacityOf(one)], under));
    const [dark, light] = [text, luminanceOf(under)].sort((a, b) => a - b);
    return (light + 0.05) / (dark + 0.05);
  };

  // Every text, in drawings and before table cells too, with its contrast. The window has to hold the whole page.
  const contrasts = () => {
    const found = [];
    for (const text of texts()) {
      const one = text.parentElement;
      for (const box of boxesOf(text).slice(0, 3))
        found.push([nameOf(one), ratio(one, null, box.x + box.width / 2, box.y + box.height / 2)]);
    }
    for (const one of elements())
      if (isShown(one) && !['none', 'normal', '""'].includes(styleOf(one, '::before').content)) {
        const box = one.getBoundingClientRect();
        found.push([`${nameOf(one)}::before`, ratio(one, '::before', box.x + 2, box.y + 2)]);
      }
    return found;
  };

  // Where a text with marks of direction stands in one line with other words, and can turn them round.
  const entangled = () => {
    const isInline = one => styleOf(one).display.startsWith('inline');
    const isApart = one => isInline(one) && /isolate|plaintext/.test(styleOf(one).unicodeBidi);
    const found = new Set();
    for (const text of texts()) {
      if (!/[\u202a-\u202e\u2066-\u2069]/.test(text.data)) continue;
      const [holder] = [...ancestors(text.parentElement)].filter(up => isApart(up) || !isInline(up));
      if (!isApart(holder) && holder.textContent.trim() !== text.data.trim()) found.add(nameOf(text.parentElement));
    }
    return [...found];
  };

  // Put a link at the top and at the foot of all that must not be cut; a PDF says on which page a link is.
  const mark = () => {
    const whole = new Set(document.querySelectorAll('figure, .verdict, .map'));
    for (const drawing of document.querySelectorAll('svg'))
      whole.add(drawing.closest('figure') ?? drawing.parentElement);
    const seen = [...whole].filter(one => one.checkVisibility() && one.offsetHeight);
    seen.forEach((one, number) => ['top', 'foot'].forEach(end => {
      const link = document.createElement('a');
      link.href = `https://mark.invalid/${number}/${end}`;
      link.textContent = '.';
      link.style = 'display: block; flex: none; height: 1px; margin: 0 0 -1px; font-size: 1px; line-height: 1px';
      end === 'top' ? one.prepend(link) : one.append(link);
    }));
    return seen.map(nameOf);
  };

  return {stickingOut, contrasts, entangled, mark};
})()
