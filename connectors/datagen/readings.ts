import { schema } from '@tidewire/sdk'
import { hashed } from './random.ts'

/** What one device measured at one moment. */
export interface Reading {
  readonly deviceId: string
  /** Counts the readings of the device from 0, without gaps. */
  readonly seq: number
  /** Milliseconds since the epoch. */
  readonly ts: number
  /** °C */
  readonly temperature: number
  /** % relative */
  readonly humidity: number
  /** hPa */
  readonly pressure: number
  /** % of full charge */
  readonly battery: number
}

export const readingSchema = schema.struct(
  {
    deviceId: schema.string(),
    seq: schema.int64(),
    ts: schema.int64(),
    temperature: schema.float64(),
    humidity: schema.float64(),
    pressure: schema.float64(),
    battery: schema.float64(),
  },
  { name: 'tidewire.SensorReading' },
)

/** The measured quantities of a reading and their units. */
export const metrics = { temperature: '°C', humidity: '%', pressure: 'hPa', battery: '%' } as const

const dayMs = 86_400_000
const outlierShare = 1 / 500
/** Readings from a full battery to an empty one, when it is changed. */
const batteryLife = 20_000

/**
 * The readings of one device: where it stands, how warm and damp it is there, is drawn from the seed. Each follows the
 * hour of the day and the weather of the week, with noise, with a sensor that ages, and with a wrong
 * temperature now and then.
 */
export class Device {
  readonly id: string
  private readonly seed: number
  private readonly index: number
  private readonly warmth: number
  private readonly swing: number
  private readonly damp: number
  private readonly altitude: number
  private readonly driftPerReading: number
  private readonly charge: number

  /** @param index from 0; part of the name and, with the seed, of all that is random */
  constructor(seed: number, index: number) {
    const trait = (number: number, low: number, high: number) => low + (high - low) * hashed(seed, index, -2 - number)
    this.id = `sensor-${index + 1}`
    this.seed = seed
    this.index = index
    this.warmth = trait(0, 14, 24)
    this.swing = trait(1, 2, 7)
    this.damp = trait(2, 40, 65)
    this.altitude = trait(3, 0, 40)
    this.driftPerReading = trait(4, -2e-6, 2e-6)
    this.charge = trait(5, 0, batteryLife)
  }

  /** A function of its arguments alone: the same reading whenever it is asked for. */
  reading(seq: number, ts: number): Reading {
    const { seed, index } = this
    const noise = hashed(seed, index, seq)
    const weather = Math.sin((ts / dayMs) * 1.1) + 0.5 * Math.sin((ts / dayMs) * 2.7)
    const ofDay = Math.sin(((ts % dayMs) / dayMs) * 2 * Math.PI - 2.36) // lowest before dawn, highest at three
    const temperature =
      this.warmth + this.swing * ofDay + 2 * weather + 0.4 * (noise - 0.5) + this.driftPerReading * seq
    const outlier = noise < outlierShare ? (noise < outlierShare / 2 ? -40 : 60) : 0
    // Bits of the same draw, spread anew: each quantity has its own noise.
    const humidityNoise = (noise * 4096) % 1
    const pressureNoise = (noise * 65_536) % 1
    return {
      deviceId: this.id,
      seq,
      ts,
      temperature: round2(temperature + outlier),
      humidity: round2(
        Math.min(100, Math.max(5, this.damp - 2.2 * this.swing * ofDay - 6 * weather + 3 * humidityNoise)),
      ),
      pressure: round2(1015 - this.altitude - 9 * weather + 0.6 * pressureNoise),
      battery: round2(100 - (100 * ((seq + this.charge) % batteryLife)) / batteryLife),
    }
  }
}

function round2(value: number): number {
  return Math.round(value * 100) / 100
}
