"use strict"
const part = id => document.getElementById(id)
const audio = part("audio"), canvas = part("taggram"), slider = part("position")
const dark = matchMedia("(prefers-color-scheme: dark)")
let about = null  // the model
let track = null  // the server's answer about the track that is shown
let picture = null  // its taggram, one pixel per chunk and label
let started = false  // whether it was played or moved: from then on the taggram is drawn up to the cursor
let running = null  // controls the request that has not been answered yet

const percent = share => `${(100 * share).toFixed(0)}\u00a0%`
const mostLabels = 15  // that are shown
const clock = seconds => `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, "0")}`
const span = () => track.taggram.length * track.chunk_seconds
const chunkAt = seconds => Math.min(Math.floor(seconds / track.chunk_seconds), track.taggram.length - 1)

/** Make an element with a text in it. Text from files is never parsed as HTML. */
function makeElement(name, text = "", kind = "") {
  const made = document.createElement(name)
  made.textContent = text
  made.className = kind
  return made
}

function say(text) { part("status").textContent = text }

function complain(text) {
  part("error").textContent = text
  part("error").hidden = !text
}

async function introduce() {
  try {
    about = await (await fetch("about")).json()
  } catch {
    return complain("The page's server does not answer: is mcc-zoo demo-page still running?")
  }
  const minutes = `${about.max_minutes} minutes`, megabytes = `${about.max_bytes / 2 ** 20} MiB`
  document.title = `${about.name}: hear and see a track`
  part("model").textContent = about.name
  part("facts").textContent = `${about.system} · ${about.labels.length} labels · ${about.sample_rate.toLocaleString("en")} Hz · ` +
    (about.server ? `answers come from ${about.server}` : "nothing leaves this machine")
  part("limits").textContent = `${about.formats}; up to ${minutes} and ${megabytes}`
  part("near-note").textContent = about.tracks
    ? `The nearest of ${about.tracks} tracks by cosine similarity of their descriptors; 1 is the most similar.`
    : "Start mcc-zoo demo-page with --folder to see the most similar tracks of a folder."
}

async function send(file) {
  running?.abort()
  const own = running = new AbortController()
  complain("")
  if (about && file.size > about.max_bytes)
    return complain(`${file.name}: larger than the ${about.max_bytes / 2 ** 20} MiB that this page takes; ` +
      "give a smaller file")
  document.body.classList.add("busy")
  say(`Reading ${file.name} …`)
  try {
    const asked = {method: "POST", body: file, signal: own.signal}
    const response = await fetch(`tag?name=${encodeURIComponent(file.name.toWellFormed?.() ?? file.name)}`, asked)
    const said = await response.json()
    if (own !== running) return
    if (response.ok) show(said, file)
    else { complain(said.error); say("") }
  } catch (error) {
    if (own !== running) return
    complain("The file could not be sent: is it a file, and is mcc-zoo demo-page still running?")
    say("")
  } finally {
    if (own === running) document.body.classList.remove("busy")
  }
}

/** Keep the labels that a track has most of, in the order of the model. */
function keepStrongest(said) {
  const order = said.tags.map((_, label) => label).sort((a, b) => said.tags[b] - said.tags[a])
  const kept = order.slice(0, mostLabels).sort((a, b) => a - b), keep = values => kept.map(label => values[label])
  const thresholds = said.thresholds.length ? keep(said.thresholds) : []
  return {...said, labels: keep(said.labels), tags: keep(said.tags), thresholds, taggram: said.taggram.map(keep)}
}

function show(said, file) {
  track = said
  const given = listGiven().map(label => `${track.labels[label]}, ${percent(track.tags[label])}`)
  track = keepStrongest(said)
  started = false
  picture = drawPixels(track.taggram)
  audio.pause()
  URL.revokeObjectURL(audio.src)
  audio.src = URL.createObjectURL(file)
  slider.max = span()
  slider.value = 0
  part("play").disabled = false
  part("title").textContent = file.name
  part("verdict").textContent = given.join("; ") || "none of its labels"
  part("how").textContent = explain()
  part("names").replaceChildren(...track.labels.map(label => makeElement("li", label)))
  const marks = [0, 1, 2, 3, 4].map(quarter => makeElement("span", clock(quarter * span() / 4)))
  part("axis").replaceChildren(...marks)
  document.querySelector(".taggram").style.setProperty("--labels", track.labels.length)
  part("tags").replaceChildren(...makeRows())
  part("near").replaceChildren(...track.nearest.map(makeNeighbour))
  part("result").hidden = false
  document.body.classList.add("loaded")
  update()
  say(`${file.name} is tagged: ${part("verdict").textContent}.`)
}

/** List the labels that the track is given: the most probable one, or all that reach their thresholds. */
function listGiven() {
  if (!track.thresholds.length) return [track.tags.indexOf(Math.max(...track.tags))]
  const given = track.tags.map((_, label) => label).filter(label => track.tags[label] >= track.thresholds[label])
  return given.sort((one, other) => track.tags[other] - track.tags[one])
}

function explain() {
  const chunk = `${track.chunk_seconds.toFixed(2)} s`
  const column = `Each column is a chunk of ${chunk} and shows ` +
    (track.so_far ? "the tags so far." : "the tags of that chunk alone.")
  if (track.windows === 1) return column
  const seconds = (track.window_chunks * track.chunk_seconds).toFixed(1)
  return `${column} The track is longer than the training tracks: it was read in ${track.windows} windows of ` +
    `${seconds} s, which start at the lines, and their tags were averaged.`
}

/** Make the rows of the table of tags, the most probable first; update() fills in the chunk that is playing. */
function makeRows() {
  const order = track.tags.map((_, label) => label).sort((a, b) => track.tags[b] - track.tags[a])
  return order.map(label => {
    const row = makeElement("tr"), bars = makeElement("td"), bar = makeElement("div", "", "bar"), mark = makeElement("b")
    row.dataset.label = label
    const name = makeElement("th", track.labels[label])
    name.scope = "row"
    bars.ariaHidden = "true"
    mark.style.left = `${100 * track.tags[label]}%`
    bar.append(makeElement("i"), mark)
    bars.append(bar)
    row.append(name, bars, makeElement("td"), makeElement("td", percent(track.tags[label])))
    return row
  })
}

/** Make an entry of the list of nearest tracks. */
function makeNeighbour(found) {
  const item = makeElement("li")
  item.append(makeElement("span", found.path, "path"), makeElement("span", found.similarity.toFixed(2), "score"),
    makeElement("span", found.tag, "tag quiet"))
  return item
}

/** Show the position of the slider in the table and the picture. */
function update() {
  if (!track) return
  const seconds = Number(slider.value), chunk = chunkAt(seconds), tags = track.taggram[chunk]
  const best = tags.indexOf(Math.max(...tags))
  for (const row of part("tags").rows) {
    const share = tags[row.dataset.label]
    row.classList.toggle("first", Number(row.dataset.label) === best)
    row.querySelector("i").style.width = `${100 * share}%`
    row.cells[2].textContent = percent(share)
  }
  part("now").textContent = track.so_far ? "So far" : "Now"
  part("time").textContent = `${clock(seconds)} / ${clock(span())}`
  slider.setAttribute("aria-valuetext", `${clock(seconds)}: ${track.labels[best]}, ${percent(tags[best])}`)
  draw(seconds, chunk)
}

/** Draw a taggram, one pixel per chunk and label. */
function drawPixels(taggram) {
  const made = document.createElement("canvas")
  made.width = taggram.length
  made.height = taggram[0].length
  const brush = made.getContext("2d"), pixels = brush.createImageData(made.width, made.height)
  const accent = getComputedStyle(document.documentElement).getPropertyValue("--accent").trim().split(" ").map(Number)
  taggram.forEach((tags, chunk) => tags.forEach((share, label) =>
    pixels.data.set([...accent, Math.round(255 * share)], 4 * (label * made.width + chunk))))
  brush.putImageData(pixels, 0, 0)
  return made
}

function draw(seconds, chunk) {
  const box = canvas.getBoundingClientRect(), scale = window.devicePixelRatio
  const width = canvas.width = Math.round(box.width * scale), height = canvas.height = Math.round(box.height * scale)
  if (!width || !height) return
  const brush = canvas.getContext("2d"), chunks = picture.width, style = getComputedStyle(canvas)
  const heard = started ? (chunk + 1) * width / chunks : width
  brush.imageSmoothingEnabled = false
  brush.globalAlpha = 0.25
  brush.drawImage(picture, 0, 0, width, height)
  brush.globalAlpha = 1
  brush.clearRect(0, 0, heard, height)
  brush.save()
  brush.beginPath()
  brush.rect(0, 0, heard, height)
  brush.clip()
  brush.drawImage(picture, 0, 0, width, height)
  brush.restore()
  brush.fillStyle = style.getPropertyValue("--card")
  for (let start = track.window_chunks; start < chunks; start += track.window_chunks)
    brush.fillRect(Math.round(start * width / chunks) - scale / 2, 0, 1.5 * scale, height)
  brush.fillStyle = style.getPropertyValue("--cursor")
  brush.fillRect(Math.min(seconds / span() * width, width - 2 * scale), 0, 2 * scale, height)
}

function follow() {
  slider.value = Math.min(audio.currentTime, span())
  update()
  if (!audio.paused) requestAnimationFrame(follow)
}

part("file").addEventListener("change", event => {
  if (event.target.files.length) send(event.target.files[0])
  event.target.value = ""  // so that the same file can be chosen again
})
part("play").addEventListener("click", () => audio.paused ? audio.play().catch(() => {}) : audio.pause())
slider.addEventListener("input", () => {
  started = true
  if (!audio.error && audio.readyState) audio.currentTime = Number(slider.value)
  update()
})
slider.addEventListener("keydown", event => {
  const step = {ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1, PageUp: 10, PageDown: -10}[event.key]
  if (!step) return
  event.preventDefault()
  slider.value = Number(slider.value) + step  // seconds
  slider.dispatchEvent(new Event("input"))
})
audio.addEventListener("play", () => { started = true; part("play").textContent = "Pause"; follow() })
audio.addEventListener("pause", () => { part("play").textContent = "Play" })
audio.addEventListener("error", () => {
  part("play").disabled = true
  say("This browser cannot play this format. The tags are complete: move along the taggram to see them.")
})
for (const kind of ["dragenter", "dragover", "dragleave", "drop"])
  addEventListener(kind, event => {
    event.preventDefault()  // otherwise a file dropped beside the field would replace the page
    document.body.classList.toggle("dragging", kind === "dragenter" || kind === "dragover")
    if (kind === "drop" && event.dataTransfer.files.length) send(event.dataTransfer.files[0])
  })
addEventListener("resize", update)
dark.addEventListener("change", () => { if (track) { picture = drawPixels(track.taggram); update() } })
introduce()
