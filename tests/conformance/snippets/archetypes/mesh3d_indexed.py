"""A roof of two triangles with a color per vertex and one normal for all."""

import aiorerun.sync as rr

rr.init("snippet_mesh3d_indexed", recording_id="roof", spawn=True)

rr.log(
    "roof",
    rr.Mesh3D(
        vertex_positions=[[0.0, 0.0, 2.0], [4.0, 0.0, 2.0], [4.0, 3.0, 3.5]],
        vertex_normals=[0.0, -0.5, 1.0],
        vertex_colors=[[180, 60, 40], [180, 60, 40], [120, 30, 20]],
        triangle_indices=[0, 1, 2],
    ),
)
