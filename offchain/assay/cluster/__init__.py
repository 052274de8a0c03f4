"""A Dask cluster over leases, as `dask-cloudprovider` has them over clouds; of the extra `assay[distributed]`."""

from assay.cluster.dask_cluster import AssayCluster as AssayCluster
