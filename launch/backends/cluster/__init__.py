"""What Kubeflow and Vertex AI share: a plan is checked, compiled and sent, on images and machines of its own."""
