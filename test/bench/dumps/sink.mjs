/**
 * A stand-in for a store that speaks S3: it takes every byte, counts it, answers with the CRC-32 of what it got, and keeps nothing.
 * Says its address when it listens. What was sent to it so far: GET /count.
 */
import { createHash } from 'node:crypto';
import { createServer } from 'node:http';
import { crc32 } from 'node:zlib';

// Its standard input ends with whoever started it, however that ended: nobody leaves it behind.
process.stdin.resume().on('close', () => process.exit());

let bytes = 0;
let uploads = 0;

const server = createServer(async (request, response) => {
  const url = new URL(request.url, 'http://sink');
  const has = (name) => url.searchParams.has(name);
  if (url.pathname === '/count') return void response.end(JSON.stringify({ bytes }));
  if (request.method === 'PUT') return void (await take(request, response));
  for await (const _ of request);
  if (request.method === 'POST' && has('uploads')) {
    const id = `upload-${++uploads}`;
    const answer = `<InitiateMultipartUploadResult><UploadId>${id}</UploadId></InitiateMultipartUploadResult>`;
    return void response.setHeader('x-amz-checksum-type', 'FULL_OBJECT').end(answer);
  }
  if (request.method === 'POST') {
    return void response.end('<CompleteMultipartUploadResult><ETag>"whole"</ETag></CompleteMultipartUploadResult>');
  }
  if (request.method === 'GET') return void response.end('<ListBucketResult></ListBucketResult>');
  response.statusCode = 404;
  response.end();
});

/** A body on its way to nowhere. */
async function take(request, response) {
  let checksum = 0;
  for await (const chunk of request) {
    checksum = crc32(chunk, checksum);
    bytes += chunk.length;
  }
  const own = Buffer.alloc(4);
  own.writeUInt32BE(checksum);
  const etag = createHash('md5').update(own).digest('hex');
  response.setHeader('etag', `"${etag}"`).setHeader('x-amz-checksum-crc32', own.toString('base64')).end();
}

server.listen(0, '127.0.0.1', () => process.stdout.write(`http://127.0.0.1:${server.address().port}\n`));
