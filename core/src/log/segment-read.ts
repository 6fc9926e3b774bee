import type { FileSystem } from './file-system.ts'
import type { Segment } from './segment.ts'

/** Reads a part of a segment's log, all of which has to be there. */
export function readSegment(fs: FileSystem, segment: Segment, position: number, length: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const buffer = Buffer.allocUnsafe(length)
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
