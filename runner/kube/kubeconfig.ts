/** All of client-node that is used. By name: of a module that is imported whole, the bundle would keep every API (4 MB). */
export { KubeConfig } from '@kubernetes/client-node';
