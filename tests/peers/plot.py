"""Plots as SVG, written by hand: small, and their differences can be read."""

from html import escape
from math import log10

WIDTH, LEFT, RIGHT, TOP = 760, 210, 40, 56
# Told apart also by those who do not see all colours; each has a mark of its own too.
COLOURS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#666666"]
OURS = "servicekit-health"


def text(x, y, words, anchor="start", more=""):
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{more}>{escape(words)}</text>'


def line(x1, y1, x2, y2, colour="#ddd"):
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}"/>'


def short(value):
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def save(path, height, title, parts):
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" '
        f'font-family="system-ui, sans-serif" font-size="13" fill="#222">\n<title>{escape(title)}</title>\n'
        f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>\n'
    )
    heading = text(16, 28, title, more=' font-size="16" font-weight="600"')
    path.write_text(head + "\n".join([heading, *parts]) + "\n</svg>\n")


def ticks(values):
    """Of 1, 2, 5, 10 and so on those from below all values to above."""
    steps = [factor * 10**power for power in range(-3, 7) for factor in (1, 2, 5)]
    low = max(step for step in steps if step <= min(values))
    high = min(step for step in steps if step >= max(values) and step > low)
    return [step for step in steps if low <= step <= high]


def bars(path, title, values):
    """A bar a server, on a logarithmic axis that begins below 1, so that 1 has a length."""
    rows, step = sorted(values.items(), key=lambda item: item[1]), 30
    at = ticks([*values.values(), 0.5])
    low, high = log10(at[0]), log10(at[-1])
    width, bottom = WIDTH - LEFT - RIGHT - 30, TOP + step * len(rows)
    across = lambda value: LEFT + (log10(value) - low) / (high - low) * width
    parts = []
    for value in at:
        x = across(value)
        parts += [line(x, TOP - 8, x, bottom), text(x, bottom + 18, short(value), "middle")]
    for index, (name, value) in enumerate(rows):
        y = TOP + index * step
        colour = COLOURS[0] if name == OURS else "#9aa5b1"
        parts.append(f'<rect x="{LEFT}" y="{y}" width="{across(value) - LEFT:.1f}" height="20" fill="{colour}"/>')
        parts += [text(LEFT - 8, y + 15, name, "end"), text(across(value) + 6, y + 15, short(value))]
    save(path, bottom + 32, title, parts)


def mark(shape, x, y, colour):
    match shape % 5:
        case 0:
            return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="5" fill="{colour}"/>'
        case 1:
            return f'<rect x="{x - 4.5:.1f}" y="{y - 4.5:.1f}" width="9" height="9" fill="{colour}"/>'
        case 2:
            return f'<path d="M{x:.1f} {y - 6:.1f}l6 10h-12z" fill="{colour}"/>'
        case 3:
            return f'<path d="M{x:.1f} {y - 6:.1f}l6 6l-6 6l-6 -6z" fill="{colour}"/>'
        case _:
            return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4.5" fill="#fff" stroke="{colour}" stroke-width="2"/>'


def lines(path, title, unit, series):
    """Values by a number of something; both axes logarithmic. The legend is in the order of the ends."""
    left, right, height = 64, 230, 300
    counts = sorted({count for points in series.values() for count in points})
    scale = ticks([value for points in series.values() for value in points.values()])
    low, high = log10(scale[0]), log10(scale[-1])
    across = lambda count: left + log10(count / counts[0]) / (log10(counts[-1] / counts[0]) or 1) * (WIDTH - left - right)
    up = lambda value: TOP + (high - log10(value)) / (high - low) * height
    parts = []
    for value in scale:
        y = up(value)
        parts += [line(left, y, WIDTH - right, y), text(left - 8, y + 4, short(value), "end")]
    parts += [text(across(count), TOP + height + 22, f"{count:,}", "middle") for count in counts]
    parts.append(text((left + WIDTH - right) / 2, TOP + height + 42, unit, "middle"))
    ends = sorted(series.items(), key=lambda item: -item[1][max(item[1])])
    # Ours has one colour in all plots.
    order = sorted(series, key=lambda name: name != OURS)
    for place, (name, points) in enumerate(ends):
        index = order.index(name)
        colour = COLOURS[index % len(COLOURS)]
        at = [(across(count), up(value)) for count, value in sorted(points.items())]
        path_of = " ".join(f"{x:.1f},{y:.1f}" for x, y in at)
        parts.append(f'<polyline points="{path_of}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts += [mark(index, x, y, colour) for x, y in at]
        y = TOP + 10 + 44 * place
        parts += [mark(index, WIDTH - right + 28, y - 4, colour), text(WIDTH - right + 42, y, name)]
        values = ", ".join(short(points[count]) for count in counts if count in points)
        parts.append(text(WIDTH - right + 42, y + 17, values, more=' fill="#666" font-size="11"'))
    save(path, TOP + height + 56, title, parts)
