"use strict";
// Draws the report. Text from logs only ever becomes text: every node is made here, none is parsed.
(() => {
  const report = JSON.parse(document.getElementById("report").textContent);
  const $ = (id) => document.getElementById(id);
  const SVG = "http://www.w3.org/2000/svg";
  const SEVERITIES = ["critical", "high", "medium", "low"];
  const PAGE = 50;

  const make = (tag, attributes, ...children) => {
    const node = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes || {})) {
      if (name === "class") node.className = value;
      else node.setAttribute(name, value);
    }
    node.append(...children.filter((child) => child !== null && child !== undefined).map(shown));
    return node;
  };
  const draw = (tag, attributes, ...children) => {
    const node = document.createElementNS(SVG, tag);
    for (const [name, value] of Object.entries(attributes || {})) node.setAttribute(name, value);
    node.append(...children);
    return node;
  };
  // Characters that act instead of being seen become visible: controls, bidirectional overrides, zero widths.
  const ACTS = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]/g;
  const inert = (text) => String(text).replace(ACTS, (c) => "\\u{" + c.codePointAt(0).toString(16) + "}");
  const shown = (child) => (typeof child === "string" || typeof child === "number" ? inert(child) : child);

  const number = (value) => Number(value).toLocaleString("en-US");
  const zone = (() => {
    try {
      new Intl.DateTimeFormat("en-GB", { timeZone: report.time_zone });
      return report.time_zone;
    } catch {
      return undefined;
    }
  })();
  const clock = new Intl.DateTimeFormat("sv-SE", {
    timeZone: zone, year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit", second: "2-digit",
  });
  const time = (value) => {
    const date = new Date(value);
    return Number.isNaN(date.getTime()) ? String(value) : clock.format(date);
  };
  const capital = (word) => word.charAt(0).toUpperCase() + word.slice(1);
  const plural = (count, one, many) => number(count) + " " + (count === 1 ? one : many);

  // ---- overview
  const metrics = report.processing_metrics;
  $("when").textContent =
    inert(report.generated_by + ", " + time(report.generated_at) + (zone ? " " + zone : "") + "; " + report.judged_by);
  $("summary").textContent = inert(report.summary);
  document.title = inert("logwren: " + report.summary);
  if (report.problems.length > 0) {
    $("problems").hidden = false;
    $("problems").append(...report.problems.map((problem) => make("li", {}, problem)));
  }
  const tiles = (target, pairs) => {
    for (const [name, value] of pairs) target.append(make("div", {}, make("dt", {}, name), make("dd", {}, value)));
  };
  tiles($("facts"), [
    ["Lines read", number(metrics.lines)],
    ["Parsed", number(metrics.parsed)],
    ["Plain text", number(metrics.plain)],
    ["Skipped", number(metrics.skipped)],
    ["Templates", number(metrics.templates)],
    ["Incidents", number(report.incidents.length + report.incidents_not_listed)],
    ["Anomalous lines", number(report.total_anomalies)],
    ["Taught the baseline", number(metrics.baseline_lines)],
  ]);
  $("recommendations").append(...report.recommendations.map((text) => make("li", {}, text)));

  const bars = (target, entries, select) => {
    const most = Math.max(1, ...entries.map(([, count]) => count));
    const list = make("div", { class: "bars" });
    for (const [name, count, fill] of entries) {
      const button = make("button", { type: "button", title: "Show only these incidents" }, name);
      button.addEventListener("click", () => select(name));
      const bar = draw("svg", { "aria-hidden": "true", preserveAspectRatio: "none", viewBox: "0 0 100 10" });
      bar.append(draw("rect", { x: 0, y: 0, height: 10, rx: 1, width: Math.max(count > 0 ? 1 : 0, (count / most) * 100), class: fill }));
      list.append(button, bar, make("span", { class: "number" }, number(count)));
    }
    if (entries.length === 0) list.append(make("span", {}, "none"));
    target.append(list);
  };
  const go = (id, value) => {
    $(id).value = value.toLowerCase();
    refresh();
    $("incidents").scrollIntoView();
  };
  bars(
    $("severity"),
    ["Critical", "High", "Medium"].map((name) => [name, report.severity_distribution[name], "f-" + name.toLowerCase()]),
    (name) => go("filter-severity", name),
  );
  bars(
    $("category"),
    Object.entries(report.anomaly_categories).sort((a, b) => b[1] - a[1]).map(([name, count]) => [name, count, "f-accent"]),
    (name) => go("filter-category", name),
  );

  // ---- timeline
  const buckets = report.timeline.buckets;
  const step = report.timeline.bucket_seconds * 1000;
  const starts = buckets.map((bucket) => Date.parse(bucket.start));
  const whole = [0, Math.max(0, buckets.length - 1)];
  let range = whole.slice();
  const isZoomed = () => range[0] !== whole[0] || range[1] !== whole[1];

  function timeline() {
    const target = $("timeline");
    target.replaceChildren();
    if (buckets.length === 0) {
      target.append(make("p", {}, "No line carries a time."));
      return;
    }
    const [width, height, left, right, top, middle, bottom] = [1000, 190, 8, 992, 10, 108, 168];
    const part = buckets.slice(range[0], range[1] + 1);
    const mostLines = Math.max(1, ...part.map((bucket) => bucket.lines));
    const mostRows = Math.max(1, ...part.map((bucket) => bucket.anomalies));
    const each = (right - left) / part.length;
    const label = "Lines and anomalies over time: " + part.length + " steps of " + span(step / 1000) + ", at most " +
      number(mostLines) + " lines and " + number(mostRows) + " anomalies a step";
    const svg = draw("svg", { viewBox: "0 0 " + width + " " + height, preserveAspectRatio: "none", role: "img", "aria-label": label });
    const paths = { "f-bar": "", "f-high": "" };
    part.forEach((bucket, index) => {
      const x = left + index * each;
      const w = Math.max(0.6, each - (each > 3 ? 1 : 0));
      const lines = ((middle - top) * bucket.lines) / mostLines;
      const rows = ((bottom - middle - 6) * bucket.anomalies) / mostRows;
      if (bucket.lines > 0) paths["f-bar"] += rectangle(x, middle - Math.max(1, lines), w, Math.max(1, lines));
      if (bucket.anomalies > 0) paths["f-high"] += rectangle(x, middle + 4, w, Math.max(2, rows));
    });
    for (const [fill, path] of Object.entries(paths)) svg.append(draw("path", { d: path, class: fill }));
    svg.append(draw("line", { x1: left, x2: right, y1: middle + 2, y2: middle + 2, class: "axis" }));
    const select = draw("rect", { y: top, height: bottom - top, width: 0, class: "f-select" });
    svg.append(select);
    const at = (event) => {
      const box = svg.getBoundingClientRect();
      const x = ((event.clientX - box.left) / box.width) * width;
      return Math.min(part.length - 1, Math.max(0, Math.floor((x - left) / each)));
    };
    const tip = draw("title", {});
    svg.append(tip);
    let from = null;
    svg.addEventListener("pointerdown", (event) => {
      from = at(event);
      svg.setPointerCapture(event.pointerId);
    });
    svg.addEventListener("pointermove", (event) => {
      const here = at(event);
      const bucket = part[here];
      tip.textContent = time(bucket.start) + ": " + plural(bucket.lines, "line", "lines") + ", " +
        plural(bucket.anomalies, "anomaly", "anomalies");
      if (from === null) return;
      const [first, last] = [Math.min(from, here), Math.max(from, here)];
      select.setAttribute("x", left + first * each);
      select.setAttribute("width", (last - first + 1) * each);
    });
    svg.addEventListener("pointerup", (event) => {
      if (from === null) return;
      const here = at(event);
      const [first, last] = [Math.min(from, here), Math.max(from, here)];
      from = null;
      if (last > first) zoom(range[0] + first, range[0] + last);
      else select.setAttribute("width", 0);
    });
    target.append(svg);
    const [begin, end] = [starts[range[0]], starts[range[1]] + step];
    target.append(
      make("p", { class: "hint" }, time(begin) + " to " + time(end) + ". Above: lines, at most " + number(mostLines) + " in " +
        span(step / 1000) + ". Below, in red: anomalies, at most " + number(mostRows) + "."),
    );
    $("zoom-range").textContent = isZoomed() ? time(begin) + " to " + time(end) : "";
    $("zoom-in").disabled = range[1] - range[0] < 2;
    for (const id of ["zoom-out", "zoom-all", "pan-left", "pan-right"]) $(id).disabled = !isZoomed();
  }
  const rectangle = (x, y, w, h) =>
    "M" + x.toFixed(2) + " " + y.toFixed(2) + "h" + w.toFixed(2) + "v" + h.toFixed(2) + "h-" + w.toFixed(2) + "z";
  const span = (seconds) => {
    for (const [unit, size] of [["day", 86400], ["hour", 3600], ["minute", 60]]) {
      if (seconds >= size) {
        const count = Math.round((seconds / size) * 10) / 10;
        return count + " " + unit + (count === 1 ? "" : "s");
      }
    }
    return seconds + " s";
  };
  function zoom(first, last) {
    const length = Math.min(last - first, whole[1]);
    const begin = Math.min(Math.max(0, first), whole[1] - length);
    range = [begin, begin + length];
    timeline();
    refresh();
  }
  const length = () => range[1] - range[0];
  $("zoom-in").addEventListener("click", () => zoom(range[0] + Math.ceil(length() / 4), range[1] - Math.ceil(length() / 4)));
  $("zoom-out").addEventListener("click", () => zoom(range[0] - Math.ceil(length() / 2), range[1] + Math.ceil(length() / 2)));
  $("pan-left").addEventListener("click", () => zoom(range[0] - Math.ceil(length() / 2), range[1] - Math.ceil(length() / 2)));
  $("pan-right").addEventListener("click", () => zoom(range[0] + Math.ceil(length() / 2), range[1] + Math.ceil(length() / 2)));
  $("zoom-all").addEventListener("click", () => zoom(whole[0], whole[1]));

  // ---- incidents
  const incidents = report.incidents.map((incident, order) => ({
    ...incident,
    order,
    first: Date.parse(incident.first_seen),
    last: Date.parse(incident.last_seen),
    text: [incident.title, incident.reason, incident.program, incident.host, incident.template, incident.template_id, incident.id,
      incident.judged_by, ...incident.evidence.map((line) => line.line)].join("\n").toLowerCase(),
  }));
  const options = (id, values) => {
    for (const value of values) $(id).append(make("option", { value: value.toLowerCase() }, value));
  };
  options("filter-severity", SEVERITIES.filter((one) => incidents.some((incident) => incident.severity === one)));
  options("filter-category", [...new Set(incidents.map((incident) => incident.category))].sort());
  options("filter-program", [...new Set(incidents.map((incident) => incident.program))].filter((name) => name).sort().slice(0, 500));
  const ORDERS = {
    severity: (a, b) => a.order - b.order,
    newest: (a, b) => b.last - a.last,
    oldest: (a, b) => a.first - b.first,
    count: (a, b) => b.count - a.count,
  };
  let matching = [];
  let page = 0;

  function refresh() {
    const words = $("search").value.toLowerCase().split(/\s+/).filter((word) => word);
    const [severity, category, program] = ["severity", "category", "program"].map((name) => $("filter-" + name).value);
    const [begin, end] = isZoomed() ? [starts[range[0]], starts[range[1]] + step] : [-Infinity, Infinity];
    matching = incidents.filter((incident) =>
      (!severity || incident.severity === severity) && (!category || incident.category === category) &&
      (!program || incident.program.toLowerCase() === program) && incident.last >= begin && incident.first < end &&
      words.every((word) => incident.text.includes(word)));
    matching.sort(ORDERS[$("order").value]);
    page = 0;
    list();
  }

  function list() {
    const pages = Math.max(1, Math.ceil(matching.length / PAGE));
    page = Math.min(page, pages - 1);
    const part = matching.slice(page * PAGE, (page + 1) * PAGE);
    $("list").start = page * PAGE + 1;
    $("list").replaceChildren(...part.map(card));
    const beyond = report.incidents_not_listed > 0 ? "; " + number(report.incidents_not_listed) + " more are not listed" : "";
    $("shown").textContent = incidents.length === 0
      ? "No incidents."
      : number(matching.length) + " of " + plural(incidents.length, "incident", "incidents") + beyond;
    const nav = $("pages");
    nav.replaceChildren();
    if (pages > 1) {
      const turn = (name, to) => {
        const button = make("button", { type: "button" }, name);
        button.disabled = to < 0 || to >= pages;
        button.addEventListener("click", () => {
          page = to;
          list();
          $("incidents").scrollIntoView();
          $("incidents").focus({ preventScroll: true });
        });
        return button;
      };
      nav.append(turn("First", page > 0 ? 0 : -1), turn("Previous", page - 1), make("span", {}, "page " + (page + 1) + " of " + pages),
        turn("Next", page + 1), turn("Last", page < pages - 1 ? pages - 1 : pages));
    }
  }

  // The body of a card is made when it is opened: a page of them costs little.
  function card(incident) {
    const top = make("span", { class: "top" },
      make("span", { class: "severity " + incident.severity }, incident.severity),
      make("strong", {}, incident.title),
      make("span", { class: "meta" }, plural(incident.count, "line", "lines") + ", " + time(incident.first_seen) +
        (incident.count > 1 && incident.last_seen !== incident.first_seen ? " to " + time(incident.last_seen) : "")));
    const where = [incident.host, incident.program].filter((name) => name).join(" ");
    const summary = make("summary", {}, top,
      make("span", { class: "meta" }, where + " · " + incident.category + " · " + incident.judged_by),
      incident.evidence.length > 0 ? make("span", { class: "line" }, incident.evidence[0].line) : null);
    const details = make("details", {}, summary);
    const fill = () => {
      if (details.childElementCount === 1) details.append(body(incident));
    };
    details.addEventListener("toggle", fill);
    details.fill = fill;
    return make("li", { class: incident.severity, id: "incident-" + incident.id }, details);
  }

  function body(incident) {
    const target = make("div", { class: "body" });
    for (const reason of incident.reason.split("\n")) target.append(make("p", {}, reason));
    target.append(make("h3", {}, "What to do"), make("ul", {}, ...incident.remediation.map((step) => make("li", {}, step))));
    const by = incident.not_judged ? incident.judged_by + "; not judged by a model: " + incident.not_judged : incident.judged_by;
    target.append(make("p", { class: "meta" }, "Seen by " + by + ", confidence " + Number(incident.confidence).toFixed(2) +
      "; incident " + incident.id));
    if (incident.template) target.append(make("p", {}, make("code", {}, incident.template)));
    if (incident.evidence.length > 0) target.append(make("h3", {}, "Lines"));
    for (const line of incident.evidence) {
      const place = line.input + (line.line_number > 0 ? ", line " + number(line.line_number) : "");
      const rows = (lines) => (lines || []).map((text) => make("span", { class: "near" }, text));
      target.append(make("p", { class: "meta" }, time(line.time) + " · " + place + " · " + line.level),
        make("pre", { tabindex: "0" }, ...rows(line.before), make("span", { class: "hit" }, line.line), ...rows(line.after)));
    }
    return target;
  }

  let timer = 0;
  $("search").addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(refresh, 120);
  });
  for (const id of ["filter-severity", "filter-category", "filter-program", "order"]) $(id).addEventListener("change", refresh);
  $("filter").addEventListener("submit", (event) => event.preventDefault());
  $("filter").addEventListener("reset", () => setTimeout(refresh, 0));
  // On paper everything on the page is open.
  addEventListener("beforeprint", () => {
    for (const details of document.querySelectorAll("#list details")) {
      details.fill();
      details.open = true;
    }
  });

  // ---- heat map
  function heat() {
    const { rows, lines, anomalies } = report.heat;
    if (rows.length === 0) {
      $("heat").append(make("p", {}, "No line carries a time, or they span too long for hours."));
      return;
    }
    const most = Math.max(1, ...lines.flat());
    const table = make("table", {}, make("caption", { class: "hint" },
      "The stronger the color the more lines, on a logarithmic scale; framed hours hold anomalies. Hours in " + report.time_zone + "."));
    const head = make("tr", {}, make("th", { scope: "col" }, "day"));
    for (let hour = 0; hour < 24; hour += 1) head.append(make("th", { scope: "col" }, String(hour)));
    table.append(make("thead", {}, head));
    const tbody = make("tbody", {});
    rows.forEach((name, index) => {
      const row = make("tr", {}, make("th", { scope: "row" }, name));
      for (let hour = 0; hour < 24; hour += 1) {
        const [count, odd] = [lines[index][hour], anomalies[index][hour]];
        const share = count > 0 ? 0.1 + (0.9 * Math.log1p(count)) / Math.log1p(most) : 0;
        const says = plural(count, "line", "lines") + ", " + plural(odd, "anomaly", "anomalies");
        const cell = make("td", { title: name + " " + hour + ":00: " + says, "aria-label": says, class: odd > 0 ? "odd" : "" });
        const fill = draw("svg", { viewBox: "0 0 10 10", height: "24", preserveAspectRatio: "none", "aria-hidden": "true" });
        fill.append(draw("rect", { width: 10, height: 10, "fill-opacity": share.toFixed(2), class: "cell" }));
        cell.append(fill);
        row.append(cell);
      }
      tbody.append(row);
    });
    table.append(tbody);
    $("heat").append(table);
  }

  // ---- templates
  let templatesShown = 25;
  function templates() {
    const word = $("template-search").value.toLowerCase();
    const all = report.templates.filter((one) =>
      !word || (one.template + "\n" + one.template_id + "\n" + one.programs.join(" ")).toLowerCase().includes(word));
    const table = make("table", {}, make("thead", {}, make("tr", {},
      make("th", { scope: "col", class: "number" }, "Lines"), make("th", { scope: "col", class: "number" }, "Anomalies"),
      make("th", { scope: "col" }, "Over time"), make("th", { scope: "col" }, "Program"), make("th", { scope: "col" }, "Level"),
      make("th", { scope: "col" }, "Template"))));
    const tbody = make("tbody", {});
    for (const one of all.slice(0, templatesShown)) {
      tbody.append(make("tr", {}, make("td", { class: "number" }, number(one.count)),
        make("td", { class: "number" }, one.anomalies > 0 ? number(one.anomalies) : ""), make("td", {}, spark(one)),
        make("td", {}, one.programs.join(", ")), make("td", {}, one.level), make("td", {}, make("code", { title: one.template_id }, one.template))));
    }
    table.append(tbody);
    $("templates").replaceChildren(table);
    $("more-templates").hidden = all.length <= templatesShown;
  }
  function spark(one) {
    const counts = one.sparkline;
    const most = Math.max(1, ...counts);
    const svg = draw("svg", { viewBox: "0 0 " + counts.length * 3 + " 20", width: counts.length * 3, height: 20, role: "img",
      "aria-label": "from " + time(one.first_seen) + " to " + time(one.last_seen) });
    let path = "";
    counts.forEach((count, index) => {
      if (count > 0) path += rectangle(index * 3, 20 - Math.max(1.5, (count / most) * 20), 2.4, Math.max(1.5, (count / most) * 20));
    });
    svg.append(draw("path", { d: path, class: "f-bar" }));
    return svg;
  }
  $("template-search").addEventListener("input", templates);
  $("more-templates").addEventListener("click", () => {
    templatesShown += 100;
    templates();
  });

  // ---- inputs and cost
  const table = make("table", {}, make("thead", {}, make("tr", {}, make("th", { scope: "col" }, "Input"),
    make("th", { scope: "col", class: "number" }, "Lines"), make("th", { scope: "col" }, "First"), make("th", { scope: "col" }, "Last"),
    make("th", { scope: "col" }, "Problem"))));
  const inputRows = make("tbody", {});
  for (const input of report.inputs.slice(0, 1000)) {
    inputRows.append(make("tr", {}, make("td", {}, input.name), make("td", { class: "number" }, number(input.lines)),
      make("td", {}, input.first ? time(input.first) : ""), make("td", {}, input.last ? time(input.last) : ""), make("td", {}, input.problem)));
  }
  table.append(inputRows);
  $("inputs").append(table);
  tiles($("cost"), [
    ["Judged by", report.judged_by],
    ["Requests to a model", number(metrics.api_calls_made)],
    ["Without an answer", number(metrics.failed_chunks)],
    ["Tokens in", number(metrics.tokens_in)],
    ["Tokens out", number(metrics.tokens_out)],
    ["Cost", "$" + Number(metrics.cost_usd).toFixed(4)],
    ["Seconds", Number(metrics.processing_time).toFixed(1)],
    ["Invalid UTF-8", number(metrics.lossy)],
    ["Cut lines", number(metrics.truncated)],
  ]);
  $("footer").textContent = inert("Made by " + report.generated_by + ". Secrets in lines are replaced; this page makes no requests.");

  timeline();
  refresh();
  heat();
  templates();
  document.documentElement.dataset.ready = "yes";
})();
