import type { FileSystem } from './file-system.ts'
import type { Segment } from './segment.ts'

/** Reads a part of a segment's log, all of which has to be there; into the buffer given, where there is one. */
export function readSegment(
  fs: FileSystem,
  segment: Segment,
  position: number,
  length: number,
  into?: Buffer,
): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const buffer = into === undefined ? Buffer.allocUnsafe(length) : into.subarray(0, length)
    const fd = segment.log.pin()
    const next = (done: number) => {
      fs.read(fd, buffer, done, length - done, position + done, (error, bytes) => {
        if (error === null && bytes > 0 && done + bytes < length) {
          next(done + bytes)
          return
        }
        segment.log.unpin()
        if (error !== null) reject(error)
        else if (bytes === 0) reject(new Error(`${segment.log.path} is shorter than it was`))
        else resolve(buffer)
      })
    }
    next(0)
  })
}

/** As {@link readSegment}, on the spot: for what is in the page cache, where a hop to another thread costs more than the read. */
export function readSegmentNow(fs: FileSystem, segment: Segment, position: number, length: number): Buffer {
  const buffer = Buffer.allocUnsafe(length)
  segment.log.use((fd) => {
    for (let done = 0; done < length;) {
      const bytes = fs.readSync(fd, buffer, done, length - done, position + done)
      if (bytes === 0) throw new Error(`${segment.log.path} is shorter than it was`)
      done += bytes
    }
  })
  return buffer
}
