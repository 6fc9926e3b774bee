/** DescribeCluster, v0–2. v1 kind of endpoint · v2 fenced brokers */
import { errorCodes } from '../../protocol/errors.ts'
import { describeCluster } from '../../protocol/messages/describe-cluster.ts'
import { defineHandler } from '../handler.ts'
import { nodeId } from '../services.ts'

const brokers = 1

export const describeClusterHandler = defineHandler({
  api: describeCluster,
  versions: [0, 2],
  handle(services, { endpointType }, { advertised }) {
    if (endpointType !== brokers) {
      return {
        errorCode: errorCodes.MISMATCHED_ENDPOINT_TYPE,
        errorMessage: 'The request was sent to an endpoint of type BROKER.',
        clusterId: '',
        brokers: [],
      }
    }
    return {
      errorCode: errorCodes.NONE,
      clusterId: services.log.clusterId,
      controllerId: nodeId,
      brokers: [{ brokerId: nodeId, host: advertised.host, port: advertised.port }],
    }
  },
})
