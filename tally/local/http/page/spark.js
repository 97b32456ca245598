// Draws throughput as a calm line: a curve through each second that never overshoots one.

const WIDTH = 1000;
const HEIGHT = 200;
const LEAST_PEAK = 10; // events a second, so that a single event is no mountain

/** Draw the values, oldest first, into the svg's two paths; returns the peak. */
export function draw(svg, values) {
  const peak = Math.max(LEAST_PEAK, ...values);
  const step = WIDTH / Math.max(1, values.length - 1);
  const points = values.map((value, second) => [second * step, HEIGHT - (HEIGHT * value) / peak]);
  const line = curve(points);
  svg.querySelector(".line").setAttribute("d", line);
  svg.querySelector(".area").setAttribute("d", `${line}L${WIDTH} ${HEIGHT}L0 ${HEIGHT}Z`);
  return Math.max(0, ...values);
}

/** Each piece leaves and arrives level: the curve stays between its two seconds. */
function curve(points) {
  let path = points.length ? `M${at(points[0])}` : "";
  for (let second = 1; second < points.length; second += 1) {
    const [[x0, y0], [x1, y1]] = [points[second - 1], points[second]];
    const middle = (x0 + x1) / 2;
    path += `C${at([middle, y0])} ${at([middle, y1])} ${at([x1, y1])}`;
  }
  return path;
}

function at([x, y]) {
  return `${x.toFixed(1)} ${y.toFixed(1)}`;
}
